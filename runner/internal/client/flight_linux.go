package client

// Where an exchange is.
const (
	unborn     = iota // not started, or ended
	waiting           // in its pool, for a connection
	unresolved        // in its pool, for addresses, to make a connection of its own
	flying            // it has a connection, or one is being made for it alone
	failed            // ended, but Ended has not been called
)

// flight is what a Loop knows about an exchange.
type flight struct {
	state      uint8
	overdue    bool // it has waited for independence
	prev, next *Exchange
	loop       *Loop
	pool       *pool
	conn       *conn
	deadline   timer
	parser     parser
}

// A queue is a list of exchanges, each of which is in one list at most.
type queue struct {
	first, last *Exchange
	n           int
}

func (q *queue) pushBack(x *Exchange) {
	x.prev, x.next = q.last, nil
	if q.last != nil {
		q.last.next = x
	} else {
		q.first = x
	}
	q.last = x
	q.n++
}

func (q *queue) pushFront(x *Exchange) {
	x.prev, x.next = nil, q.first
	if q.first != nil {
		q.first.prev = x
	} else {
		q.last = x
	}
	q.first = x
	q.n++
}

func (q *queue) remove(x *Exchange) {
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		q.first = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	} else {
		q.last = x.prev
	}
	x.prev, x.next = nil, nil
	q.n--
}
