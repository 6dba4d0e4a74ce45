package partiql

import (
	"loadkms/sandbox/ion"
)

// A Statement is one parsed statement. It never changes and may be run often, also at the same time.
type Statement struct {
	text   string
	kind   Kind
	params int
	body   body
}

// A body is one of *query, *insert, *update, *remove, *createTable, *dropTable, *undropTable, *createIndex, *dropIndex.
type body interface{ print(p *printer) }

// SELECT projection FROM sources WHERE where.
type query struct {
	value   expr   // SELECT VALUE; nil otherwise
	items   []item // the SELECT list; neither value nor items is SELECT *
	sources []source
	where   expr // nil if there is none
}

// An item is one column of a SELECT list.
type item struct {
	expr expr
	as   string // the alias; empty if there is none
	all  bool   // expr.*
}

// A source is one entry of FROM. Exactly one of table, history, schema and expr says where rows come from.
type source struct {
	offset    int
	table     string
	committed bool   // _ql_committed_table
	history   string // history(name, args…)
	args      []expr
	schema    bool // information_schema.user_tables
	expr      expr
	as, by    string // AS name, BY name for the document id
	at        string // AT name for the position in a list
	on        expr   // JOIN … ON; nil for a comma or CROSS JOIN
	join      bool   // written as JOIN
}

// INSERT INTO table values. single is VALUE: exactly one document.
type insert struct {
	offset int
	table  string
	values expr
	single bool
}

// UPDATE from changes WHERE where, also written FROM sources WHERE where changes. The first source is a
// table; others, which only the second form has, are paths to lists within its documents.
type update struct {
	sources []source
	changes []change
	where   expr
}

// A change is one SET path = expr, REMOVE path, or INSERT INTO path VALUE expr [AT at].
type change struct {
	what changeKind
	path *path
	expr expr
	at   expr
}

type changeKind uint8

const (
	set changeKind = iota
	removePath
	insertInto
)

// DELETE FROM from WHERE where.
type remove struct {
	from  source
	where expr
}

type createTable struct {
	table string
	tags  *ion.Value
}

type dropTable struct {
	offset int
	table  string
}

type undropTable struct{ id string }

type createIndex struct {
	offset int
	table  string
	path   []string
}

type dropIndex struct {
	offset int
	table  string
	id     string
}

// An expr is one of the types below.
type expr interface{ print(p *printer) }

type (
	literal struct{ value ion.Value }
	missing struct{}
	param   struct{ n int } // counted from 0
	// A path begins at a name (an alias, or a field where no alias has the name) or an expression.
	path struct {
		offset int
		name   string
		root   expr // if name does not begin it
		steps  []step
	}
	unary struct {
		op string // NOT, -, +
		of expr
	}
	binary struct {
		op          string // OR AND = <> < <= > >= + - * / % ||
		left, right expr
		offset      int
	}
	in struct {
		of, list expr
		not      bool
	}
	is struct {
		of           expr
		missing, not bool // IS MISSING, otherwise IS NULL
	}
	like struct {
		of, pattern, escape expr
		not                 bool
		offset              int
	}
	between struct {
		of, low, high expr
		not           bool
	}
	list struct {
		elements []expr
		bag      bool // << >>
	}
	object struct { // {'name': value}
		names, values []expr
	}
	aggregate struct {
		name     string // COUNT SUM MIN MAX AVG
		of       expr   // nil for COUNT(*)
		distinct bool
		offset   int
	}
	call struct {
		name string // as in functions
		// word is what is no expression: a part of a date, the type for CAST, the side for TRIM.
		word   string
		args   []expr
		offset int
	}
	subquery struct{ query *query }
)

// A step is .name, or [index].
type step struct {
	name  string
	index expr // nil for .name
}
