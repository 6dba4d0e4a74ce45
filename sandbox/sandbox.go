// Package sandbox is a small AWS to practice on.
package sandbox
