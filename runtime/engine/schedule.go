package engine

import (
	"container/heap"
	"slices"

	"palhm/backends"
	"palhm/runtime/plan"
)

// schedule hands out the objects of a backup: each when every object of every
// group that its group depends on is done, and in declaration order among those
// that are ready. Its memory is linear in groups, edges and objects. It is not safe
// for concurrent use.
type schedule struct {
	objects    [][]*plan.Object // by group
	unlisted   []bool           // by group: a function has more objects to give
	dependents [][]int          // by group: the groups that wait for it, one entry an edge
	waiting    []int            // by group: edges to groups that are not done
	left       []int            // by group: objects that are not done
	next       []int            // by group: the first object that was not handed out
	ready      intHeap          // groups with objects to hand out
}

func newSchedule(b *plan.Backup) *schedule {
	n := len(b.Groups)
	s := &schedule{
		objects:    make([][]*plan.Object, n),
		unlisted:   make([]bool, n),
		dependents: make([][]int, n),
		waiting:    make([]int, n),
		left:       make([]int, n),
		next:       make([]int, n),
	}
	for i, g := range b.Groups {
		s.objects[i] = g.Objects
		s.unlisted[i] = g.Make != nil
		s.left[i] = len(g.Objects)
		s.waiting[i] = len(g.Depends)
		for _, d := range g.Depends {
			s.dependents[d] = append(s.dependents[d], i)
		}
	}
	for i, g := range b.Groups {
		if len(g.Depends) == 0 {
			s.open(i)
		}
	}
	return s
}

// open makes a group ready whose dependencies are done. A group without objects is
// done at once, and so may be those that wait for it: a loop, because such a chain
// may be thousands of groups long.
func (s *schedule) open(group int) {
	for todo := []int{group}; len(todo) > 0; {
		g := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s.left[g] > 0 || s.unlisted[g] {
			heap.Push(&s.ready, g)
			continue
		}
		todo = append(todo, s.released(g)...)
	}
}

// released returns the groups that a group that is now done was the last to hold up.
func (s *schedule) released(group int) []int {
	var free []int
	for _, d := range s.dependents[group] {
		if s.waiting[d]--; s.waiting[d] == 0 {
			free = append(free, d)
		}
	}
	return free
}

// job is an object to make, or a group whose function is to be asked for objects.
type job struct {
	group  int
	object *plan.Object // nil = the function is to be asked
}

// take returns the next job that is ready; ok is false when none is.
func (s *schedule) take() (j job, ok bool) {
	if len(s.ready) == 0 {
		return job{}, false
	}
	g := s.ready[0]
	if s.unlisted[g] {
		heap.Pop(&s.ready) // add brings it back
		return job{group: g}, true
	}
	o := s.objects[g][s.next[g]]
	if s.next[g]++; s.next[g] == len(s.objects[g]) {
		heap.Pop(&s.ready)
	}
	return job{g, o}, true
}

// add is called once for each group that was taken, with what its function gave.
func (s *schedule) add(group int, objects []*plan.Object) {
	s.unlisted[group] = false
	s.objects[group] = append(slices.Clip(s.objects[group]), objects...)
	s.left[group] += len(objects)
	s.open(group)
}

// all returns every object that is known so far, in declaration order.
func (s *schedule) all() []*plan.Object { return slices.Concat(s.objects...) }

// total counts them.
func (s *schedule) total() int {
	n := 0
	for _, list := range s.objects {
		n += len(list)
	}
	return n
}

// inOrder returns the records of all objects in declaration order.
func (s *schedule) inOrder(records map[*plan.Object]backends.ObjectRecord) []backends.ObjectRecord {
	list := make([]backends.ObjectRecord, 0, len(records))
	for _, o := range s.all() {
		list = append(list, records[o])
	}
	return list
}

// done is called once for each object taken, when it is made.
func (s *schedule) done(group int) {
	if s.left[group]--; s.left[group] == 0 {
		for _, g := range s.released(group) {
			s.open(g)
		}
	}
}

// intHeap is a min-heap for container/heap.
type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
