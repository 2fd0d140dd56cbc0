package engine

import (
	"container/heap"

	"palhm/runtime/plan"
)

// schedule hands out the objects of a backup: each when every object of every
// group that its group depends on is done, and in declaration order among those
// that are ready. Its memory is linear in groups, edges and objects. It is not safe
// for concurrent use.
type schedule struct {
	groups     []*plan.Group
	dependents [][]int // by group: the groups that wait for it, one entry an edge
	waiting    []int   // by group: edges to groups that are not done
	left       []int   // by group: objects that are not done
	next       []int   // by group: the first object that was not handed out
	ready      intHeap // groups with objects to hand out
}

func newSchedule(b *plan.Backup) *schedule {
	n := len(b.Groups)
	s := &schedule{
		groups:     b.Groups,
		dependents: make([][]int, n),
		waiting:    make([]int, n),
		left:       make([]int, n),
		next:       make([]int, n),
	}
	for i, g := range b.Groups {
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
		if s.left[g] > 0 {
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

// take returns the next object that is ready and its group, or nil when none is.
func (s *schedule) take() (*plan.Object, int) {
	if len(s.ready) == 0 {
		return nil, 0
	}
	g := s.ready[0]
	o := s.groups[g].Objects[s.next[g]]
	if s.next[g]++; s.next[g] == len(s.groups[g].Objects) {
		heap.Pop(&s.ready)
	}
	return o, g
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
