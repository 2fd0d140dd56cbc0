package starlib

import (
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// nativeName is predeclared in the standard modules only: the parts of them that
// are written in Go. A module offers one as NAME = native.NAME; its documentation
// is that of the built-in, and the place of a mistake is in the site's own call.
const nativeName = "native"

// natives are the members of native, in the order of their modules.
func natives() []*builtin {
	return []*builtin{
		bootReportNative(), noticeNative(),
		stdoutNative(), mailxNative(), smtpNative(), snsNative(),
		dnssecCheckNative(),
	}
}

func nativeValue(l *loader) starlark.Value {
	members := starlark.StringDict{}
	for _, b := range natives() {
		members[b.Name] = b.bind(l)
	}
	return starlarkstruct.FromStringDict(starlark.String(nativeName), members)
}

// nativeDoc describes a member of native.
func nativeDoc(name string) (Doc, bool) {
	for _, b := range natives() {
		if b.Name == name {
			return b.document(), true
		}
	}
	return Doc{}, false
}
