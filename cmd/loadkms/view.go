package main

import (
	"context"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"loadkms/reporters"
	"loadkms/result"
)

// isTerminal reports whether a stream of the command is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// styleOf says how to print on w. See no-color.org for NO_COLOR.
func styleOf(w io.Writer) reporters.Style {
	style := reporters.Style{Width: 100}
	if !isTerminal(w) {
		return style
	}
	style.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && width > 0 {
		style.Width = width
	}
	return style
}

// watch shows the run while it lasts: a live view on a terminal, plain lines elsewhere. The returned
// func waits for the last word; it must be called once, after the run.
func watch(w io.Writer, feed *result.Feed, quiet bool) (unwatch func()) {
	if quiet {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		// A view that cannot be drawn is no reason to end a run.
		if isTerminal(w) && os.Getenv("TERM") != "dumb" {
			_ = reporters.Progress(ctx, w, feed, styleOf(w), func() (int, int, error) {
				return term.GetSize(int(w.(*os.File).Fd()))
			})
			return
		}
		_ = reporters.Lines(ctx, w, feed)
	})
	return func() {
		if last := feed.Latest(); last == nil || !last.Done {
			cancel() // the run never began, so no last snapshot will come
		}
		watching.Wait()
		cancel()
	}
}
