package std_test

import (
	"strings"
	"testing"
)

func TestSystemd(t *testing.T) {
	const (
		ctl    = "systemctl --no-ask-password --no-pager "
		show   = ctl + "show --property=LoadState,ActiveState -- nginx"
		failed = ctl + "list-units --failed --all --full --plain --no-legend --output=json"
	)
	runs := []string{"/run/systemd/system"}
	says := func(line, text string) madeUpHost {
		return madeUpHost{files: runs, replies: map[string]reply{line: {stdout: text}}}
	}
	for _, c := range []struct {
		name, expr string
		host       madeUpHost
		want       string // or a part of the error
	}{
		{"active", `is_active(ctx, "nginx")`, says(show, "LoadState=loaded\nActiveState=active\n"), "True"},
		{"reloading", `is_active(ctx, "nginx")`, says(show, "ActiveState=reloading\nLoadState=loaded\n"), "True"},
		{"starting", `is_active(ctx, "nginx")`, says(show, "LoadState=loaded\nActiveState=activating\n"), "False"},
		{"failed", `is_active(ctx, "nginx")`, says(show, "LoadState=loaded\nActiveState=failed\n"), "False"},
		{"misspelt", `is_active(ctx, "nginx")`, says(show, "LoadState=not-found\nActiveState=inactive\n"), `there is no unit "nginx"`},
		{"silent", `is_active(ctx, "nginx")`, says(show, ""), "does not say"},
		{"error", `is_active(ctx, "nginx")`, madeUpHost{files: runs, replies: map[string]reply{show: {code: 1}}}, "exit code 1"},
		{"no systemd", `is_active(ctx, "nginx")`, madeUpHost{}, "systemd does not run on this host"},
		{"pattern", `is_active(ctx, "nginx*")`, madeUpHost{files: runs, replies: map[string]reply{strings.Replace(show, "nginx", "nginx*", 1): {stdout: "LoadState=loaded\nActiveState=failed\n\nLoadState=loaded\nActiveState=active\n"}}}, `got the pattern "nginx*", want the name of one unit`},
		{"no name", `is_active(ctx, "")`, madeUpHost{files: runs}, "want the name of a unit"},
		{"none failed", `failed_units(ctx)`, says(failed, "[]\n"), "[]"},
		{"some failed", `failed_units(ctx)`, says(failed, `[{"unit":"a.service","load":"loaded"},{"unit":"b.mount"}]`), `["a.service", "b.mount"]`},
		{"table", `failed_units(ctx)`, says(failed, "a.service loaded failed failed A\nb.mount   loaded failed failed B\n"), `["a.service", "b.mount"]`},
		{"empty table", `failed_units(ctx)`, says(failed, "\n"), "[]"},
		{"error", `failed_units(ctx)`, madeUpHost{files: runs, replies: map[string]reply{failed: {code: 1}}}, "exit code 1"},
		{"no systemd", `failed_units(ctx)`, madeUpHost{}, "systemd does not run on this host"},
		{"restart", `ctx.run(restart("nginx", "-.mount")).ok`, madeUpHost{replies: map[string]reply{ctl + "restart -- nginx -.mount": {}}}, "True"},
		{"restart all", `restart("*")`, madeUpHost{}, `restart: got the pattern "*", want the name of one unit`},
		{"restart a misspelt pattern", `restart("nginx", "ngnix-[ab]")`, madeUpHost{}, `got the pattern "ngnix-[ab]"`},
		{"restart nothing", `restart()`, madeUpHost{}, "got no unit"},
		{"reload", `ctx.run(daemon_reload).ok`, madeUpHost{replies: map[string]reply{ctl + "daemon-reload": {}}}, "True"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.host.ask(t, debian, "@palhm//systemd.star", `"daemon_reload", "failed_units", "is_active", "restart"`, c.expr)
			if err != nil {
				got = err.Error()
			}
			if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
