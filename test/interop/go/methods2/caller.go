package main

import (
	"fmt"
	"reflect"
	"sort"
	"time"

	"interop/check"

	realis "github.com/paypal/gorealis/v2"
	"github.com/paypal/gorealis/v2/gen-go/apache/aurora"
)

const (
	environment = "prod"
	// The one host of the simulated cluster, and one that it has not.
	host    = "localhost"
	unknown = "no-such-thing"
	// What is said of a key with a bad name.
	notAKey = "role, environment and name"

	// The monitors of gorealis take anything below a second for a number of seconds.
	monitorEvery = time.Second
	waitLimit    = 30 * time.Second
	// Long enough for one question.
	shortWait = 1500 * time.Millisecond

	pulseInterval = time.Minute
)

// caller has a job of its own for each kind of change. All are of one role, which is also the name of the first:
// AddInstances sends the name of a job as its role.
type caller struct {
	api *realis.Client
	// Looks at what api has done, also while api is in a call.
	other *realis.Client

	role    string
	main    aurora.JobKey
	service aurora.JobKey
	cron    aurora.JobKey
	pending aurora.JobKey
	// Not a key: the slash.
	bad aurora.JobKey

	forward, back, paused aurora.JobUpdateKey
	noUpdate              aurora.JobUpdateKey
	pauseReturned         chan error
}

func newCaller(api, other *realis.Client, role string) *caller {
	key := func(name string) aurora.JobKey {
		return aurora.JobKey{Role: role, Environment: environment, Name: name}
	}
	main := key(role)
	return &caller{
		api: api, other: other, role: role,
		main: main, service: key("service"), cron: key("cron"), pending: key("pending"), bad: key("a/b"),
		noUpdate:      aurora.JobUpdateKey{Job: &main, ID: unknown},
		pauseReturned: make(chan error, 1),
	}
}

func (c *caller) job(key aurora.JobKey, version string) *realis.AuroraJob {
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

func (c *caller) cronJob(schedule string) *realis.AuroraJob {
	return c.job(c.cron, "1").IsService(false).CronSchedule(schedule)
}

func (c *caller) update(version string, watch time.Duration) *realis.JobUpdate {
	return realis.JobUpdateFromAuroraTask(c.job(c.service, version).AuroraTask()).
		InstanceCount(2).
		BatchSize(2).
		WatchTime(watch)
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
	found, err := c.other.JobUpdateDetails(aurora.JobUpdateQuery{Key: &key})
	if err != nil {
		return -1, err
	}
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

// hosts checks the modes that a call of the maintenance answered with.
func hosts(statuses []*aurora.HostStatus, err error, wanted map[string]string) (string, error) {
	if err != nil {
		return "", err
	}
	found := modes(statuses)
	return fmt.Sprint(found), check.Equal("modes", found, wanted)
}

func noHosts(statuses []*aurora.HostStatus, err error) error {
	if err != nil {
		return err
	}
	return check.Equal("modes", modes(statuses), map[string]string{})
}
