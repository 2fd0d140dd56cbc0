package engine

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"palhm/runtime/plan"
)

// backupOf makes groups of sizes[i] objects, group i depending on depends[i].
func backupOf(sizes []int, depends map[int][]int) *plan.Backup {
	b := new(plan.Backup)
	for i, n := range sizes {
		g := &plan.Group{Name: fmt.Sprint("g", i), Depends: depends[i]}
		for j := range n {
			g.Objects = append(g.Objects, &plan.Object{Path: fmt.Sprintf("%d-%d", i, j)})
		}
		b.Groups = append(b.Groups, g)
	}
	return b
}

// takeAll takes every object that is ready.
func takeAll(s *schedule) (paths []string, groups []int) {
	for {
		j, ok := s.take()
		if !ok {
			return paths, groups
		}
		paths, groups = append(paths, j.object.Path), append(groups, j.group)
	}
}

// waves runs a schedule with unlimited workers: what is ready together is done
// together.
func waves(b *plan.Backup) (all [][]string) {
	s := newSchedule(b)
	for {
		paths, groups := takeAll(s)
		if paths == nil {
			return all
		}
		all = append(all, paths)
		for _, g := range groups {
			s.done(g)
		}
	}
}

func TestScheduleWaves(t *testing.T) {
	for _, tt := range []struct {
		name    string
		sizes   []int
		depends map[int][]int
		want    [][]string
	}{
		{"nothing", nil, nil, nil},
		{"one group", []int{3}, nil, [][]string{{"0-0", "0-1", "0-2"}}},
		{"root and http together, then sql, then ldap", []int{1, 1, 1, 1}, map[int][]int{2: {1}, 3: {2}},
			[][]string{{"0-0", "1-0"}, {"2-0"}, {"3-0"}}},
		{"diamond", []int{1, 1, 1, 1}, map[int][]int{0: {1, 2}, 1: {3}, 2: {3}}, [][]string{{"3-0"}, {"1-0", "2-0"}, {"0-0"}}},
		{"redundant edge", []int{1, 1, 1}, map[int][]int{0: {1, 2}, 1: {2}}, [][]string{{"2-0"}, {"1-0"}, {"0-0"}}},
		{"the same edge twice", []int{1, 1}, map[int][]int{0: {1, 1}}, [][]string{{"1-0"}, {"0-0"}}},
		{"an empty group in front", []int{1, 0}, map[int][]int{0: {1}}, [][]string{{"0-0"}}},
		{"an empty group in the middle", []int{1, 0, 1}, map[int][]int{0: {1}, 1: {2}}, [][]string{{"2-0"}, {"0-0"}}},
		{"only empty groups", []int{0, 0}, map[int][]int{0: {1}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := waves(backupOf(tt.sizes, tt.depends)); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// An object that becomes ready late still goes before those declared after it.
func TestScheduleDeclarationOrder(t *testing.T) {
	s := newSchedule(backupOf([]int{1, 1, 2}, map[int][]int{0: {1}}))
	first, _ := s.take()
	s.done(first.group)
	rest, _ := takeAll(s)
	if got := append([]string{first.object.Path}, rest...); !slices.Equal(got, []string{"1-0", "0-0", "2-0", "2-1"}) {
		t.Errorf("got %v", got)
	}
}

// Random graphs, objects finishing in random order: each object comes exactly once,
// and never before those it depends on.
func TestScheduleRandom(t *testing.T) {
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		n := 1 + rnd.IntN(12)
		sizes, depends := make([]int, n), map[int][]int{}
		order := rnd.Perm(n) // edges go from later to earlier in this order
		for i := range n {
			sizes[i] = rnd.IntN(4)
			for j := range i {
				if rnd.IntN(3) == 0 {
					depends[order[i]] = append(depends[order[i]], order[j])
				}
			}
		}
		checkRandom(t, seed, rnd, backupOf(sizes, depends))
	}
}

func checkRandom(t *testing.T, seed uint64, rnd *rand.Rand, b *plan.Backup) {
	want := b.Objects()
	left := make([]int, len(b.Groups))
	later := map[int][]*plan.Object{} // what functions give
	for i, g := range b.Groups {
		left[i] = len(g.Objects)
		if rnd.IntN(3) == 0 {
			n := rnd.IntN(len(g.Objects) + 1)
			later[i], g.Objects, g.Make = g.Objects[n:], g.Objects[:n], &plan.ObjectsCall{}
			left[i]++ // the call is something that others wait for
		}
	}
	s := newSchedule(b)
	var clear func(g int) bool
	clear = func(g int) bool { // all of g and of what it depends on is done
		return left[g] == 0 && !slices.ContainsFunc(b.Groups[g].Depends, func(d int) bool { return !clear(d) })
	}
	taken, running := 0, []int(nil)
	for {
		if j, ok := s.take(); ok {
			o, g := j.object, j.group
			if o == nil {
				o = &plan.Object{Path: "the call of group " + b.Groups[g].Name}
			} else {
				taken++
			}
			for _, d := range b.Groups[g].Depends {
				if !clear(d) {
					t.Fatalf("seed %d: %s came before its dependencies were done", seed, o.Path)
				}
			}
			if j.object == nil {
				left[g]--
				s.add(g, later[g])
				continue
			}
			running = append(running, g)
			if rnd.IntN(2) == 0 {
				continue
			}
		}
		if len(running) == 0 {
			break
		}
		i := rnd.IntN(len(running))
		left[running[i]]--
		s.done(running[i])
		running = slices.Delete(running, i, i+1)
	}
	if taken != want || s.total() != want {
		t.Fatalf("seed %d: %d objects came and %d are known, want %d", seed, taken, s.total(), want)
	}
}

// A chain of many groups, some empty, and two large groups one after the other: no
// deep recursion and no memory beyond groups, edges and objects.
func TestScheduleLinear(t *testing.T) {
	const n = 200_000
	sizes, depends := make([]int, n), map[int][]int{}
	for i := range n {
		sizes[i] = i % 2
		if i > 0 {
			depends[i] = []int{i - 1}
		}
	}
	if got := len(waves(backupOf(sizes, depends))); got != n/2 {
		t.Errorf("chain: %d waves, want %d", got, n/2)
	}
	b := backupOf([]int{20_000, 20_000}, map[int][]int{1: {0}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := newSchedule(b)
	_, groups := takeAll(s)
	for _, g := range groups {
		s.done(g)
	}
	takeAll(s)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
		t.Errorf("20,000 x 20,000 objects: %d bytes, want a few for each object", got)
	}
}
