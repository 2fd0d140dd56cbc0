// Package iam writes down the rights that a root in a bucket needs, as policies of AWS
// Identity and Access Management. It sends nothing, and knows of package s3 only which
// requests it makes: a test runs a store under these policies and compares.
package iam

import (
	"fmt"
	"reflect"
	"slices"
)

// Policy is an identity-based policy (IAM User Guide, "IAM JSON policy elements").
// Encode it with encoding/json.
type Policy struct {
	Version   string
	Statement []Statement
}

// Statement allows actions on resources.
type Statement struct {
	Sid       string // letters and digits, each only once in a policy
	Effect    string // "Allow"
	Action    []string
	Resource  []string                     // ARNs, which may hold * for anything, slashes too
	Condition map[string]map[string]string `json:",omitempty"` // operator, key, value; all must be met
}

// version is that of the policy language.
const version = "2012-10-17"

// Join makes one policy of several. What several of them say is said once.
func Join(policies ...Policy) Policy {
	all := Policy{Version: version}
	used := map[string]int{}
	for _, p := range policies {
		for _, st := range p.Statement {
			if slices.ContainsFunc(all.Statement, st.same) {
				continue
			}
			used[st.Sid]++
			if n := used[st.Sid]; n > 1 {
				st.Sid = fmt.Sprint(st.Sid, n)
			}
			all.Statement = append(all.Statement, st)
		}
	}
	return all
}

// same compares all but the names.
func (st Statement) same(other Statement) bool {
	other.Sid = st.Sid
	return reflect.DeepEqual(st, other)
}

// is makes a condition of one operator on one key.
func is(operator, key, value string) map[string]map[string]string {
	return map[string]map[string]string{operator: {key: value}}
}
