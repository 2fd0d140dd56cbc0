package main

func builtinNames() []string                    { return nil }
func builtinHelp(string) (text string, ok bool) { return "", false }
