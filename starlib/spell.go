package starlib

import "strings"

// Nearest returns the candidate that x is most likely a misspelling of, or "".
// Case, "_" and "-" do not count, so that nbWorkers finds nb_workers. Of equally
// near candidates the first wins.
func Nearest(x string, candidates []string) string {
	x = fold(x)
	best, bestDistance := "", len(x)/3+1
	for _, c := range candidates {
		if d := editDistance(x, fold(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

func fold(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s))
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b.
func editDistance(a, b string) int {
	previous, row, next := []int(nil), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], previous[j-2]+1)
			}
		}
		previous, row, next = row, next, make([]int, len(b)+1)
	}
	return row[len(b)]
}
