// Package runner conducts one run.
package runner
