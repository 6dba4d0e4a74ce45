// Package partiql reads and runs statements of the PartiQL that QLDB speaks.
//
// It knows no ledger, no keys and no network: what a statement reads and changes is a Database.
// Everything is case-sensitive but the keywords, as in QLDB. Reading a statement and running it are
// apart, so that a statement is refused before anything has been touched, and so that a caller can ask
// what it would do.
package partiql

import (
	"fmt"
	"strings"

	"loadkms/sandbox/ion"
)

// What a statement may be at most.
const (
	// MaxStatement is how many characters: the limit of QLDB's session protocol.
	MaxStatement = 100_000
	// MaxDepth is how deep expressions nest. QLDB documents no number.
	MaxDepth = 100
)

// A Kind is what a statement does, named as the actions of QLDB's permissions are.
type Kind uint8

// The kinds of statements. A SELECT over history(…) is a History, because QLDB has a permission of its
// own for it; FROM … SET, REMOVE and INSERT INTO a path are Updates.
const (
	Select Kind = iota + 1
	History
	Insert
	Update
	Delete
	CreateTable
	DropTable
	UndropTable
	CreateIndex
	DropIndex
)

var kindNames = [...]string{
	Select: "Select", History: "HistoryFunction", Insert: "Insert", Update: "Update", Delete: "Delete",
	CreateTable: "CreateTable", DropTable: "DropTable", UndropTable: "UndropTable",
	CreateIndex: "CreateIndex", DropIndex: "DropIndex",
}

// String returns the name that follows qldb:PartiQL in permissions.
func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return "Unknown"
}

// Kind returns what the statement does.
func (s *Statement) Kind() Kind { return s.kind }

// Params returns how many question marks the statement has.
func (s *Statement) Params() int { return s.params }

// A SyntaxError says where a statement stopped being understood.
type SyntaxError struct {
	Offset       int    // in bytes from the beginning of the statement
	Line, Column int    // of Offset; both count from 1, columns count characters
	Near         string // what stands there; empty at the end of the statement
	Expected     string // what could have stood there, or why what stands there is not supported
}

func (e *SyntaxError) Error() string {
	near := "the end of the statement"
	if e.Near != "" {
		near = fmt.Sprintf("%q", e.Near)
	}
	return fmt.Sprintf("Parser Error: at line %d, column %d: at %s: %s", e.Line, e.Column, near, e.Expected)
}

// A SemanticError says why a statement that can be read cannot be run. Message is QLDB's where its text
// is known ("No such variable named 'T'").
type SemanticError struct {
	Offset       int
	Line, Column int
	Message      string
}

// Error repeats the message, as QLDB does.
func (e *SemanticError) Error() string {
	return fmt.Sprintf("Semantic Error: at line %d, column %d: %s; %s", e.Line, e.Column, e.Message, e.Message)
}

// position returns the line and column of an offset.
func position(statement string, offset int) (line, column int) {
	before := statement[:min(offset, len(statement))]
	line = strings.Count(before, "\n") + 1
	return line, len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
}

// Execute runs a statement on db with a value for each question mark, and returns its rows: those of a
// query, {documentId} for each document that was inserted, changed or deleted, {tableId} for a table. It
// blocks as long as db does. After an error the transaction must be given up: db may have been changed
// in part. Errors are *SemanticError or db's own.
func Execute(s *Statement, params []ion.Value, db Database) (rows []ion.Value, err error) {
	if len(params) != s.params {
		return nil, s.semantic(0, "The statement has %d parameters, %d values were given", s.params, len(params))
	}
	x := &execution{statement: s, params: params, db: db}
	return x.run()
}

func (s *Statement) semantic(offset int, format string, args ...any) *SemanticError {
	line, column := position(s.text, offset)
	return &SemanticError{Offset: offset, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}
