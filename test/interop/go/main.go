// Command interop plays a deployer and a monitor in Go: a coordinated update from its start to its end, over
// TJSON and over TBinary, with what gorealis v2 sends. The scheduler's address comes from AURORA_URL; the
// exit code is 1 when anything is not as it should be.
package main

import (
	"fmt"
	"os"
)

func main() {
	url := os.Getenv("AURORA_URL")
	for _, name := range []string{"json", "binary"} {
		fmt.Printf("over %s:\n", name)
		if err := run(url, name); err != nil {
			fmt.Fprintf(os.Stderr, "FAILED over %s: %v\n", name, err)
			os.Exit(1)
		}
	}
	fmt.Println("all as it should be")
}

func run(url, protocol string) error {
	api, err := connect(url, protocol)
	if err != nil {
		return err
	}
	defer api.close()
	story := newStory(api, "go-"+protocol)
	for _, chapter := range story.chapters() {
		fmt.Printf("- %s\n", chapter.title)
		if err := chapter.tell(); err != nil {
			return fmt.Errorf("%s: %w", chapter.title, err)
		}
	}
	return nil
}
