package stack

import _ "embed"

// Article is a template for the article's stack, with the parameter Stage.
//
//go:embed article.yaml
var Article string
