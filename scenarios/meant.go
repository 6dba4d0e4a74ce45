package scenarios

// Meant returns the hint of a problem with a word that is not known: which of the known ones it was
// probably meant to be, or else, after label, all of them. It is for problems that are found after
// parsing, such as a function that a processor does not have.
func Meant(got string, known []string, label string) string { return meant(got, known, label) }
