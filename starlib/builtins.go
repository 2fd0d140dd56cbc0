package starlib

import (
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// builtins is every name that a site sees besides Starlark's own, in the order of
// the reference. It is frozen: whatever comes later is loaded from a standard
// module, so that no upgrade breaks a site that uses a name.
func builtins() []*builtin {
	return []*builtin{
		execBuiltin(), pipelineBuiltin(), objectBuiltin(), groupBuiltin(),
		backupBuiltin(), routineBuiltin(), sigmaskBuiltin(),
		localfsBuiltin(), awsS3Builtin(), nullBuiltin(),
		settingsBuiltin(), secretBuiltin(), fileBuiltin(),
		hostBuiltin(), envBuiltin(), readFileBuiltin(), globBuiltin(), pathExistsBuiltin(), whichBuiltin(),
		structBuiltin(), jsonBuiltin(), failBuiltin(), printBuiltin(),
	}
}

func structBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name:      "struct",
			Signature: "struct(**fields)",
			Text:      `A value with named fields: p = struct(name = "blog", size = "2GiB") has p.name and p.size.`,
		},
		value: func(*loader) starlark.Value { return starlark.NewBuiltin("struct", starlarkstruct.Make) },
	}
}

func jsonBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name: "json",
			Text: `json.encode(x), json.decode(text, default = None), and json.indent(text, prefix = "", indent = "\t").
What is nested more than 1000 deep is refused, and so is a text of more than a million lists and objects: json.decode gives the default for it,
if there is one.`,
		},
		value: func(*loader) starlark.Value { return jsonModule() },
	}
}

func failBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name:      "fail",
			Signature: `fail(*args, sep = " ")`,
			Text:      `Ends the load, or the function that runs, with an error.`,
		},
		value: func(*loader) starlark.Value { return starlark.Universe["fail"] },
	}
}

func printBuiltin() *builtin {
	return &builtin{
		Doc: Doc{
			Name:      "print",
			Signature: `print(*args, sep = " ")`,
			Text:      `Prints to stderr, with the place of the call.`,
		},
		value: func(*loader) starlark.Value { return starlark.Universe["print"] },
	}
}
