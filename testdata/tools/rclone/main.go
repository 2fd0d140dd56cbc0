// Command rclone is rclone with "serve s3" and directories, and without its hundred
// other stores: it is built in a fraction of the time.
package main

import (
	_ "github.com/rclone/rclone/backend/local"
	"github.com/rclone/rclone/cmd"
	_ "github.com/rclone/rclone/cmd/serve/s3"
)

func main() { cmd.Main() }
