// Package reporters shows a run to people and to machines.
//
// A report of a finished run is a function of a [result.Run] and of nothing else: it can be made
// again later from a saved run.json, and comes out the same byte for byte. The live views look at a
// [result.Feed] when they please; the load never waits for them. The package judges nothing: every
// sentence about good and bad comes from the run's verdict. It keeps no state between runs, and
// knows neither the runner nor AWS.
//
// Texts in a run may come from anywhere: a step's name, an error of a stranger's API. Everything
// shown passes through [clean] first, and through html/template besides when it becomes HTML.
package reporters
