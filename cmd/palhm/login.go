package main

import (
	"os"
	"os/user"
	"strconv"
)

// setLogin sets HOME, USER and LOGNAME from the password database where the environment
// lacks them, as in a service of systemd: clients of databases look for their passwords
// below $HOME, as AWS's libraries do in palhm itself. A user without an entry gets
// nothing, for there is nothing to be had.
func setLogin() {
	var account *user.User
	for _, name := range []string{"HOME", "USER", "LOGNAME"} {
		if _, ok := os.LookupEnv(name); ok {
			continue
		}
		if account == nil {
			var err error
			if account, err = user.LookupId(strconv.Itoa(os.Geteuid())); err != nil {
				return
			}
		}
		value := account.Username
		if name == "HOME" {
			value = account.HomeDir
		}
		if value != "" {
			os.Setenv(name, value) //nolint:errcheck // it fails for names and values that no account has
		}
	}
}
