// Package records knows which records exist.
package records
