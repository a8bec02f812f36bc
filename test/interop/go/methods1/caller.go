package main

import (
	"fmt"
	"reflect"
	"sort"
	"time"

	"interop/check"

	realis "github.com/paypal/gorealis"
	"github.com/paypal/gorealis/gen-go/apache/aurora"
	"github.com/paypal/gorealis/response"
)

const (
	environment = "prod"
	// The one host of the simulated cluster, and one that it has not.
	host    = "localhost"
	unknown = "no-such-thing"
	// What is said of a key with a bad name.
	notAKey = "role, environment and name"

	// In seconds, as the monitors of gorealis have them; the last one is long enough for one question.
	monitorEvery = 1
	waitLimit    = 30
	shortWait    = 2

	pulseInterval = time.Minute
)

// caller has a job of its own for each kind of change, all of one role.
type caller struct {
	api realis.Realis
	// Looks at what api has done, also while api is in a call.
	other   realis.Realis
	monitor *realis.Monitor

	role    string
	main    aurora.JobKey
	service aurora.JobKey
	cron    aurora.JobKey
	pending aurora.JobKey
	// Not a key: the slash.
	bad aurora.JobKey

	forward, back, paused aurora.JobUpdateKey
	noUpdate              aurora.JobUpdateKey
}

func newCaller(api, other realis.Realis, role string) *caller {
	key := func(name string) aurora.JobKey {
		return aurora.JobKey{Role: role, Environment: environment, Name: name}
	}
	main := key("main")
	return &caller{
		api: api, other: other, monitor: &realis.Monitor{Client: api}, role: role,
		main: main, service: key("service"), cron: key("cron"), pending: key("pending"), bad: key("a/b"),
		noUpdate: aurora.JobUpdateKey{Job: &main, ID: unknown},
	}
}

func (c *caller) job(key aurora.JobKey, version string) realis.Job {
	return realis.NewJob().
		Role(key.Role).
		Environment(key.Environment).
		Name(key.Name).
		InstanceCount(2).
		IsService(true).
		MaxFailure(1).
		CPU(0.5).
		RAM(64).
		Disk(128).
		ExecutorName(aurora.AURORA_EXECUTOR_NAME).
		ExecutorData(data(version))
}

func (c *caller) cronJob(schedule string) realis.Job {
	return c.job(c.cron, "1").IsService(false).CronSchedule(schedule)
}

func settings(watch time.Duration) *aurora.JobUpdateSettings {
	made := realis.NewUpdateSettings()
	made.UpdateGroupSize = 2
	made.MinWaitInInstanceRunningMs = int32(watch.Milliseconds())
	return made
}

func coordinated(made *aurora.JobUpdateSettings) *aurora.JobUpdateSettings {
	interval := int32(pulseInterval.Milliseconds())
	made.BlockIfNoPulsesAfterMs = &interval
	return made
}

func (c *caller) update(version string, made *aurora.JobUpdateSettings) *realis.UpdateJob {
	return realis.NewUpdateJob(c.job(c.service, version).TaskConfig(), made).InstanceCount(2)
}

// start starts an update and tells its key.
func (c *caller) start(update *realis.UpdateJob) (aurora.JobUpdateKey, error) {
	answer, err := c.api.StartJobUpdate(update, "")
	if err != nil {
		return aurora.JobUpdateKey{}, err
	}
	key := response.JobUpdateKey(answer)
	if key == nil {
		return aurora.JobUpdateKey{}, fmt.Errorf("no key: %v", answer)
	}
	return *key, nil
}

func data(version string) string {
	return fmt.Sprintf(`{"task":{"name":%q,"processes":[{"name":"p","cmdline":"sleep 3600"}]}}`, version)
}

func query(key aurora.JobKey, statuses ...aurora.ScheduleStatus) *aurora.TaskQuery {
	return &aurora.TaskQuery{
		Role: &key.Role, Environment: &key.Environment, JobName: &key.Name, Statuses: statuses,
	}
}

func badOffset() *aurora.JobUpdateQuery { return &aurora.JobUpdateQuery{Offset: -1} }

func ids(tasks []*aurora.ScheduledTask) []int32 {
	found := []int32{}
	for _, task := range tasks {
		found = append(found, task.AssignedTask.InstanceId)
	}
	return sorted(found)
}

func sorted(numbers []int32) []int32 {
	sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
	return numbers
}

// active waits until the job has these instances running and no others.
func (c *caller) active(key aurora.JobKey, wanted ...int32) error {
	if wanted == nil {
		wanted = []int32{}
	}
	return check.Until(fmt.Sprintf("%s has the instances %v", key.Name, wanted), func() (bool, error) {
		active, err := c.other.GetTaskStatus(query(key, aurora.ACTIVE_STATES...))
		if err != nil {
			return false, err
		}
		for _, task := range active {
			if task.Status != aurora.ScheduleStatus_RUNNING {
				return false, nil
			}
		}
		return reflect.DeepEqual(ids(active), wanted), nil
	})
}

func (c *caller) status(key aurora.JobUpdateKey) (aurora.JobUpdateStatus, error) {
	answer, err := c.other.JobUpdateDetails(aurora.JobUpdateQuery{Key: &key})
	if err != nil {
		return -1, err
	}
	found := response.JobUpdateDetails(answer)
	if len(found) != 1 {
		return -1, fmt.Errorf("%d updates have the key %s", len(found), key.ID)
	}
	return found[0].Update.Summary.State.Status, nil
}

func (c *caller) untilStatus(key aurora.JobUpdateKey, wanted aurora.JobUpdateStatus) error {
	return check.Until("update is "+wanted.String(), func() (bool, error) {
		found, err := c.status(key)
		return found == wanted, err
	})
}

func modes(statuses []*aurora.HostStatus) map[string]string {
	found := make(map[string]string)
	for _, each := range statuses {
		found[each.Host] = each.Mode.String()
	}
	return found
}

type statuses func() []*aurora.HostStatus

// hosts checks the modes that a call of the maintenance answered with. They may be asked for only if it went
// well: after an error there is no result.
func hosts(answered statuses, err error, wanted map[string]string) (string, error) {
	if err != nil {
		return "", err
	}
	found := modes(answered())
	return fmt.Sprint(found), check.Equal("modes", found, wanted)
}

func noHosts(answered statuses, err error) error {
	if err != nil {
		return err
	}
	return check.Equal("modes", modes(answered()), map[string]string{})
}

// ok wants a response without a message, as OK is but for a few cases (wire.md §2.2).
func ok(answer *aurora.Response, err error) error {
	if err != nil {
		return err
	}
	return check.Equal("messages", len(answer.Details), 0)
}

func errorOf(_ *aurora.Response, err error) error { return err }
