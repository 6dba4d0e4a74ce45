package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math/bits"
	"slices"
	"strconv"
)

// The article's function takes a body apart with JSON.parse and hands on the object that this gives. An
// object has each key once: with the last of its values, in the place of the first. Keys that are array
// indices, "0" to "4294967294", come before the others, in ascending order. Nearly no body has either, so
// plain looks first, and only what may not be plain is taken apart.

// fewKeys is how many keys of one object plain compares each with each; with more, taking the body apart,
// which has a map for that, is no slower.
const fewKeys = 16

// plain reports that JSON.parse would keep everything in doc where it is. It may say no when that is so:
// for an object with many keys, a key with an escape, and two keys that are alike. doc is what
// [json.Compact] has written.
func plain(doc []byte) bool {
	_, ok := plainValue(doc, 0)
	return ok
}

// plainValue looks at the value that begins at p, and returns where it ends.
func plainValue(doc []byte, p int) (end int, ok bool) {
	switch doc[p] {
	case '{':
		return plainObject(doc, p+1)
	case '[':
		for p++; doc[p] != ']'; {
			if doc[p] == ',' {
				p++
			}
			if p, ok = plainValue(doc, p); !ok {
				return p, false
			}
		}
		return p + 1, true
	}
	return scalarEnd(doc, p), true
}

// plainObject looks at the object whose first key begins at p.
func plainObject(doc []byte, p int) (end int, ok bool) {
	var keys [fewKeys]uint64
	for n := 0; doc[p] != '}'; n++ {
		if doc[p] == ',' {
			p++
		}
		p++
		if n == fewKeys || doc[p]-'0' <= 9 {
			return p, false
		}
		mark := uint64(1) // the same for the same keys, and nearly never for others
		for c := doc[p]; c != '"'; c = doc[p] {
			if c == '\\' {
				return p, false
			}
			mark = bits.RotateLeft64(mark, 7) ^ uint64(c)
			p++
		}
		if slices.Contains(keys[:n], mark) {
			return p, false
		}
		keys[n] = mark
		p += len(`":`)
		if doc[p] == '"' { // most values are strings, and a call for each is what would be felt
			p = stringEnd(doc, p)
		} else if p, ok = plainValue(doc, p); !ok {
			return p, false
		}
	}
	return p + 1, true
}

// stringEnd returns where the string ends that begins at p.
func stringEnd(doc []byte, p int) int {
	for p++; ; p++ {
		p += bytes.IndexByte(doc[p:], '"')
		escapes := 0
		for doc[p-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return p + 1
		}
	}
}

// scalarEnd returns where the string, number or word ends that begins at p.
func scalarEnd(doc []byte, p int) int {
	if doc[p] == '"' {
		return stringEnd(doc, p)
	}
	for p < len(doc) && doc[p] != ',' && doc[p] != '}' && doc[p] != ']' {
		p++
	}
	return p
}

// A node is a value of a body taken apart: the text of a scalar, or the children of a list or an object.
type node struct {
	kind     byte // '{', '[', or 0 for a scalar
	name     []byte
	text     []byte
	children []node
}

// parse appends to dst what JSON.parse keeps of doc, which is what [json.Compact] has written.
func parse(dst, doc []byte) []byte {
	n, _ := take(doc, 0)
	return n.append(dst)
}

// take takes the value apart that begins at p, and returns where it ends.
func take(doc []byte, p int) (node, int) {
	switch n := (node{kind: doc[p]}); n.kind {
	case '[':
		for p++; doc[p] != ']'; {
			if doc[p] == ',' {
				p++
			}
			var child node
			child, p = take(doc, p)
			n.children = append(n.children, child)
		}
		return n, p + 1
	case '{':
		places := map[string]int{}
		for p++; doc[p] != '}'; {
			if doc[p] == ',' {
				p++
			}
			end := stringEnd(doc, p)
			name := doc[p:end]
			var child node
			child, p = take(doc, end+len(":"))
			key := unquote(name)
			if at, again := places[key]; again {
				child.name = n.children[at].name
				n.children[at] = child
				continue
			}
			places[key] = len(n.children)
			child.name = name
			n.children = append(n.children, child)
		}
		slices.SortStableFunc(n.children, byIndex)
		return n, p + 1
	}
	end := scalarEnd(doc, p)
	return node{text: doc[p:end]}, end
}

// append writes a node as compact JSON.
func (n *node) append(dst []byte) []byte {
	if n.kind == 0 {
		return append(dst, n.text...)
	}
	dst = append(dst, n.kind)
	for i := range n.children {
		if i > 0 {
			dst = append(dst, ',')
		}
		if n.kind == '{' {
			dst = append(append(dst, n.children[i].name...), ':')
		}
		dst = n.children[i].append(dst)
	}
	return append(dst, n.kind+2) // in ASCII each bracket is two before the one that closes it
}

// unquote returns the text of a JSON string.
func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // valid, as json.Compact has taken it
	return s
}

// noIndex is beyond every array index; it is what keys in the order of the text are sorted as.
const noIndex = 1<<32 - 1

func byIndex(a, b node) int { return cmp.Compare(arrayIndex(a.name), arrayIndex(b.name)) }

// arrayIndex returns the index that a key is: a number as JavaScript would write it.
func arrayIndex(quoted []byte) uint64 {
	if c := quoted[1]; c-'0' > 9 && c != '\\' {
		return noIndex
	}
	s := unquote(quoted)
	i, err := strconv.ParseUint(s, 10, 32)
	if err != nil || strconv.FormatUint(i, 10) != s {
		return noIndex
	}
	return i
}
