// Package reporters shows a run to people and to machines.
package reporters
