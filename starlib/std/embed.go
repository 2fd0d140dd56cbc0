// Package std holds the text of the standard modules, the files behind labels
// such as "@palhm//core.star".
package std

import "embed"

// Files is the standard modules by file name. It is read-only.
//
//go:embed *.star
var Files embed.FS
