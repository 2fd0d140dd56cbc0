package main

import (
	"container/heap"
	"slices"

	"palhm/runtime/plan"
)

// runOrder returns the groups in an order in which they can become ready: after
// what they depend on, and else as they were declared.
func runOrder(groups []*plan.Group) []int {
	waiting := make([]int, len(groups))     // for how many groups
	followers := make([][]int, len(groups)) // who waits for this one
	var ready intHeap
	for i, g := range groups {
		waiting[i] = len(g.Depends)
		for _, d := range g.Depends {
			followers[d] = append(followers[d], i)
		}
		if waiting[i] == 0 {
			ready = append(ready, i)
		}
	}
	heap.Init(&ready)
	order := make([]int, 0, len(groups))
	for len(ready) > 0 {
		i := heap.Pop(&ready).(int)
		order = append(order, i)
		for _, f := range followers[i] {
			if waiting[f]--; waiting[f] == 0 {
				heap.Push(&ready, f)
			}
		}
	}
	return slices.Clip(order)
}

// intHeap yields the smallest first.
type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
