package check

import (
	"fmt"
	"reflect"
	"sort"
	"strings"
)

// Method is one public method of a client: what a call of it that can succeed gives, and one that can't.
type Method struct {
	Name string
	// Works makes the call, checks what came back, and tells it in a few words.
	Works func() (string, error)
	// Fails does the same for a call that must go wrong.
	Fails func() (string, error)
}

// Server is a Fails: the scheduler refuses the call with a text that has this in it.
func Server(call func() error, text string) func() (string, error) {
	return refusal("refused", call, text)
}

// Client is a Fails: the library itself gives the error, of what the scheduler answered or without asking it.
func Client(call func() error, text string) func() (string, error) {
	return refusal("error of the library", call, text)
}

// TimesOut is a Fails: what is waited for never comes.
func TimesOut(call func() error) func() (string, error) {
	return func() (string, error) {
		err := call()
		if err == nil || !IsTimeout(err) {
			return "", fmt.Errorf("no timeout, but %v", err)
		}
		return "timeout: " + short(err), nil
	}
}

// Nothing is a Fails for what the scheduler never refuses: it answers OK with nothing.
func Nothing(call func() error) func() (string, error) {
	return func() (string, error) { return "OK, empty", call() }
}

// Never is a Fails for a call without arguments, which neither side refuses.
func Never() (string, error) { return "none: it takes nothing that could be wrong", nil }

func refusal(kind string, call func() error, text string) func() (string, error) {
	return func() (string, error) {
		err := call()
		if problem := Refused(err, text); problem != nil {
			return "", problem
		}
		return kind + ": " + short(err), nil
	}
}

// Parts are methods by what can be called in one go.
type Parts map[string][]Method

// Run makes the calls of a part in order, prints what came of each, and returns what deviates. Every method of
// the given types must be in one of the parts, and nothing else.
func Run(title string, parts Parts, part string, clients ...reflect.Type) []string {
	fmt.Printf("\n%s, %s\n", title, part)
	problems := parts.compare(methodsOf(clients...))
	cell := func(name, kind string, call func() (string, error)) string {
		told, err := call()
		if err == nil {
			return told
		}
		problems = append(problems, fmt.Sprintf("%s, %s, %s: %v", title, name, kind, err))
		return "DEVIATES: " + short(err)
	}
	for _, method := range parts[part] {
		works := cell(method.Name, "success", method.Works)
		fails := cell(method.Name, "error", method.Fails)
		fmt.Printf("| %-32s | %-44s | %s\n", method.Name, works, fails)
	}
	fmt.Printf("%d methods, %d deviations\n", len(parts[part]), len(problems))
	if len(parts[part]) == 0 {
		problems = append(problems, "there is no part "+part)
	}
	return problems
}

// compare tells of methods that are called by no part, or more than once, or that the client does not have.
func (p Parts) compare(wanted []string) []string {
	calls := make(map[string]int)
	for _, methods := range p {
		for _, method := range methods {
			calls[method.Name]++
		}
	}
	var problems []string
	for _, name := range wanted {
		if calls[name] != 1 {
			problems = append(problems, fmt.Sprintf("%s is called %d times", name, calls[name]))
		}
		delete(calls, name)
	}
	for name := range calls {
		problems = append(problems, "the client has no method "+name)
	}
	return problems
}

func methodsOf(types ...reflect.Type) []string {
	var names []string
	for _, each := range types {
		for i := 0; i < each.NumMethod(); i++ {
			names = append(names, each.Method(i).Name)
		}
	}
	sort.Strings(names)
	return names
}

func short(err error) string {
	const longest = 100
	text := strings.Join(strings.Fields(err.Error()), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}
