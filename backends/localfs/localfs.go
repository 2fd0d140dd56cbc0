// Package localfs keeps copies in a directory.
package localfs
