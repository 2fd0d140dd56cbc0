package main

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const accessKey, secretKey = "palhmbench", "palhmbenchsecret"

// server is a real one, with a bucket called "bucket".
type server struct {
	url    string
	bucket string // the directory
	cmd    *exec.Cmd
}

// serve starts a server; the error is exec.ErrNotFound when the program is not there.
func (b s3Bench) serve(name string) (*server, error) {
	path := b.look(name)
	if path == "" {
		return nil, exec.ErrNotFound
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	dir := filepath.Join(b.scratch, name)
	s := &server{url: "http://" + addr, bucket: filepath.Join(dir, "bucket")}
	if err := os.MkdirAll(s.bucket, 0o755); err != nil {
		return nil, err
	}
	args := map[string][]string{
		"versitygw": {"--quiet", "--keep-alive", "--port", addr, "posix", dir},
		"minio":     {"server", "--quiet", "--address", addr, dir},
	}
	s.cmd = exec.Command(path, args[name]...)
	s.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+secretKey,
		"MINIO_ROOT_USER="+accessKey, "MINIO_ROOT_PASSWORD="+secretKey, "MINIO_UPDATE=off")
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := answers(addr); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// answers waits until somebody listens at addr.
func answers(addr string) error {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			time.Sleep(2 * time.Second) // it listens before it is ready
			return c.Close()
		}
		if time.Now().After(end) {
			return err
		}
	}
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait() // says that it got a signal
}

// command is one whose S3 is this server.
func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(),
		"AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"RCLONE_CONFIG_SERVER_TYPE=s3", "RCLONE_CONFIG_SERVER_PROVIDER=Other", "RCLONE_CONFIG_SERVER_ENV_AUTH=true", "RCLONE_CONFIG_SERVER_NO_CHECK_BUCKET=true", "RCLONE_CONFIG_SERVER_ENDPOINT="+s.url,
		"MC_HOST_server="+strings.Replace(s.url, "//", "//"+accessKey+":"+secretKey+"@", 1))
	return cmd
}

// measure runs a client, after which the server must have kept so many bytes, and
// empties the bucket.
func (s *server) measure(cmd *exec.Cmd, want int64) (figures, error) {
	f, err := timed(cmd)
	if err != nil {
		return f, err
	}
	if got, err := s.kept(); err != nil || got < want {
		return f, fmt.Errorf("%s: the server kept %d bytes, want at least %d: %v", strings.Join(cmd.Args, " "), got, want, err)
	}
	return f, s.empty()
}

func (s *server) kept() (total int64, err error) {
	err = filepath.WalkDir(s.bucket, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

func (s *server) empty() error {
	list, err := os.ReadDir(s.bucket)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := os.RemoveAll(filepath.Join(s.bucket, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
