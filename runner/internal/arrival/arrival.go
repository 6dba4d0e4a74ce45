// Package arrival decides when virtual users arrive.
package arrival
