// Package measure turns finished requests into numbers.
package measure
