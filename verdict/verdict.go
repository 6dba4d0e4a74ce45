// Package verdict decides whether a run was good.
package verdict
