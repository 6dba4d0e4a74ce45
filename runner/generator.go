package runner

import "loadkms/result"

// generator returns how the load generator fares.
func (c *conductor) generator() result.Generator {
	s := c.driver.Stats()
	g := result.Generator{
		Due: s.Due, Sent: s.Sent, Dropped: s.Dropped, Cut: s.Cut, Unfinished: s.Unfinished, Users: s.Users,
		Lateness:  c.recorder.Lateness(),
		LateLimit: c.o.Script.Config.MaxLateness,
		Driver:    "portable",
		Loops:     c.driver.LoopCount(),
		Lacks:     c.recorder.Lacks(),
	}
	if g.Loops > 0 {
		g.Driver = "event loop"
	}
	c.health.report(c.health.look(c.now()), &g)
	return g
}
