// Package null is a backend that reads everything and keeps nothing.
package null
