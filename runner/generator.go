package runner

import (
	"runtime"
	"runtime/debug"
	"time"

	"loadkms/result"
)

// A health is what the process had spent when the run began; the generator's own figures count from
// there.
type health struct{ pause, cpu time.Duration }

func newHealth() health {
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	return health{pause: gc.PauseTotal, cpu: cpuTime()}
}

// generator returns how the load generator fares.
func (c *conductor) generator() result.Generator {
	s, h := c.driver.Stats(), newHealth()
	return result.Generator{
		Due: s.Due, Sent: s.Sent, Dropped: s.Dropped, Cut: s.Cut, Unfinished: s.Unfinished, Users: s.Users,
		Lateness:   c.recorder.Lateness(),
		LateLimit:  c.o.Script.Config.MaxLateness,
		GCPause:    h.pause - c.health.pause,
		CPU:        h.cpu - c.health.cpu,
		Processors: runtime.GOMAXPROCS(0),
	}
}
