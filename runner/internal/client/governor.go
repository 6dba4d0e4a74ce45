package client

// The law of making connections. An open model must not have fewer connections than its users would have
// made, or the client's queue hides in its numbers; nor many more than needed, or a hiccup of the server
// summons connections whose making prolongs it. So, for the exchanges to one origin that found no idle
// connection:
//
//  1. Never more connections than MostConns. Who waits because of it waits in order of arrival.
//  2. With no connection at all, the first few dial at once.
//  3. Without a rate (a closed model) everyone who waits has a dial in progress at once.
//  4. With a rate, who has waited for patience takes part in governed growth: a few dials in progress, as
//     long as there are fewer connections than the rate needs. By Little's law it needs L = rate × service
//     time of them at a time on average; independent arrivals need more than L + 3√L once in a thousand.
//     While nothing is answered the service time is at least the time since the last answer, so the bound
//     grows with a stall.
//  5. Who has waited for independence has a dial in progress whatever the bound: an independent user would
//     have connected. So a stall of seconds gets a connection for every arrival (that is the truth about an
//     open model), while a hiccup shorter than independence gets a few.
//  6. A reserve of idle connections is kept as long as there are fewer than the rate needs, so that waiting
//     is rare.
//  7. Who comes first gets the connection that is ready first, whoever it was dialed for.

import (
	"math"
	"time"
)

const (
	// patience is a fraction of what a dial over any network costs, and a multiple of what an answer on a
	// fast one takes.
	patience = time.Millisecond
	// independence and a dial on a fast network stay below the 10 ms of lateness that make a run
	// inconclusive.
	independence = 4 * time.Millisecond
	few          = 4  // dials in progress under governed growth
	reserve      = 2  // idle connections, those being made included
	burst        = 64 // dials begun at once: answers must be read between them
)

// demand is what the law of making connections decides by, for one origin.
type demand struct {
	waiting int  // exchanges without a connection
	overdue int  // those of them that have waited for independence
	patient bool // the first has waited for patience

	conns, dialing, idle int // all connections; those being made; those unused

	rate    float64       // arrivals per second; 0: unknown
	service time.Duration // from sent to done, or longer if nothing has been answered for longer
	most    int           // MostConns
}

// dials returns how many connections to begin to make now.
func (d demand) dials() int {
	progress := 0 // how many should be in progress
	switch growing := d.conns < needed(d.rate, d.service); {
	case d.waiting == 0:
		if d.rate > 0 && growing && d.idle+d.dialing < reserve {
			progress = reserve - d.idle
		}
	case d.rate <= 0:
		progress = d.waiting
	case d.conns == d.dialing, d.patient && growing:
		progress = max(min(d.waiting, few), d.overdue)
	default:
		progress = d.overdue
	}
	n := min(progress-d.dialing, burst)
	if d.most > 0 {
		n = min(n, d.most-d.conns)
	}
	return max(n, 0)
}

// needed returns how many connections a rate needs.
func needed(rate float64, service time.Duration) int {
	if rate <= 0 || service <= 0 {
		return 0
	}
	l := rate * service.Seconds()
	return int(math.Ceil(min(l+3*math.Sqrt(l), math.MaxInt32)))
}
