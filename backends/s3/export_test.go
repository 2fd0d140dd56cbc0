package s3

import "palhm/backends"

// SetHost makes the store act as a process of another host, or of this one.
func (s *Store) SetHost(host, boot string, pid int) {
	s.self = func() identity {
		return identity{Host: host, Boot: boot, Space: "test", PID: pid, Start: "1"}
	}
}

// Drop ends the signs of life of a copy that nobody ends, as the death of its process
// does.
func Drop(c backends.Copy) {
	k := c.(*Copy)
	k.stop()
	k.beats.Wait()
}
