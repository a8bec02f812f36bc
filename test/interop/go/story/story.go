package main

import (
	"errors"
	"fmt"
	"reflect"
	"sort"
	"time"

	"interop/check"

	realis "github.com/paypal/gorealis/v2"
	"github.com/paypal/gorealis/v2/gen-go/apache/aurora"
)

const (
	role        = "vagrant"
	environment = "prod"
	instances   = 2

	pulseInterval = time.Minute
	// Long enough to pause while the first instance is watched.
	watchTime = 1500 * time.Millisecond

	limit = 60 * time.Second
	// The monitors of gorealis take anything below a second for a number of seconds.
	monitorEvery = time.Second

	// What gorealis makes of an answer without a result.
	noResult = "Field in response is nil"
)

// story is one job and its updates, told chapter by chapter; each stops at the first thing that is wrong.
type story struct {
	api  *realis.Client
	name string
	key  aurora.JobUpdateKey
	// Gets what PauseJobUpdate returned, which is long after the pause.
	pauseReturned chan error
}

type chapter struct {
	title string
	tell  func() error
}

func newStory(api *realis.Client, name string) *story {
	return &story{api: api, name: name, pauseReturned: make(chan error, 1)}
}

func (s *story) chapters() []chapter {
	return []chapter{
		{"CreateJob: two instances run; a second time it is refused", s.create},
		{"StartJobUpdate with a pulse interval: blocked, nothing is touched", s.start},
		{"PulseJobUpdate: it rolls", s.roll},
		{"PauseJobUpdate: it stays paused, whatever is pulsed", s.pause},
		{"ResumeJobUpdate: with pulses it goes on to its end", s.resume},
		{"StartJobUpdate of what runs already: no update", s.startAgain},
		{"PulseJobUpdate of an update nobody knows: refused", s.pulseUnknown},
		{"KillJob: all instances end; KillInstances then finds none and says so", s.kill},
	}
}

func (s *story) create() error {
	if err := s.api.CreateJob(s.job("1")); err != nil {
		return err
	}
	live, err := s.api.MonitorInstances(s.jobKey(), instances, monitorEvery, limit)
	if err != nil {
		return err
	}
	if err := check.Equal("all live", live, true); err != nil {
		return err
	}
	err = check.Until("the job runs", func() (bool, error) {
		found, err := s.active()
		return reflect.DeepEqual(found, running("1")), err
	})
	if err != nil {
		return err
	}
	return check.Refused(s.api.CreateJob(s.job("1")), role+"/"+environment+"/"+s.name)
}

func (s *story) start() error {
	started, err := s.api.StartJobUpdate(s.update("2"), "version 2")
	if err != nil {
		return err
	}
	s.key = *started.Key
	if err := check.Equal("job of the key", *s.key.Job, s.jobKey()); err != nil {
		return err
	}
	if err := check.Equal("key of the summary", *started.UpdateSummary.Key, s.key); err != nil {
		return err
	}
	details, err := s.expectStatus(aurora.JobUpdateStatus_ROLL_FORWARD_AWAITING_PULSE)
	if err != nil {
		return err
	}
	settings := details.Update.Instructions.Settings
	interval := time.Duration(settings.GetBlockIfNoPulsesAfterMs()) * time.Millisecond
	if err := check.Equal("pulse interval", interval, pulseInterval); err != nil {
		return err
	}
	if err := check.Equal("group size", settings.UpdateGroupSize, int32(1)); err != nil {
		return err
	}
	if err := check.Equal("message", details.UpdateEvents[0].GetMessage(), "version 2"); err != nil {
		return err
	}
	if err := check.Equal("instance events", len(details.InstanceEvents), 0); err != nil {
		return err
	}
	return s.expectRunning("1")
}

func (s *story) roll() error {
	if err := s.expectPulse(aurora.JobUpdatePulseStatus_OK); err != nil {
		return err
	}
	err := check.Until("an instance is updated", func() (bool, error) {
		details, err := s.details()
		return err == nil && len(details.InstanceEvents) > 0, err
	})
	if err != nil {
		return err
	}
	_, err = s.expectStatus(aurora.JobUpdateStatus_ROLLING_FORWARD)
	return err
}

// pause does not wait for PauseJobUpdate to return: after a pause that worked it asks for a minute whether the
// update is ABORTED, and then tells of a timeout (wire.md §6.2).
func (s *story) pause() error {
	key := s.key
	go func() { s.pauseReturned <- s.api.PauseJobUpdate(&key, "error rate above 1 %") }()
	err := check.Until("the update is paused", func() (bool, error) {
		if err := s.stillPausing(); err != nil {
			return false, err
		}
		details, err := s.details()
		return err == nil && status(details) == aurora.JobUpdateStatus_ROLL_FORWARD_PAUSED, err
	})
	if err != nil {
		return err
	}
	if err := s.expectPulse(aurora.JobUpdatePulseStatus_OK); err != nil {
		return err
	}
	time.Sleep(2 * watchTime) // Were it not paused, the second instance's turn would have come.
	details, err := s.expectStatus(aurora.JobUpdateStatus_ROLL_FORWARD_PAUSED)
	if err != nil {
		return err
	}
	last := details.UpdateEvents[len(details.UpdateEvents)-1]
	if err := check.Equal("last event", last.Status, aurora.JobUpdateStatus_ROLL_FORWARD_PAUSED); err != nil {
		return err
	}
	if err := check.Equal("its message", last.GetMessage(), "error rate above 1 %"); err != nil {
		return err
	}
	for _, event := range details.InstanceEvents {
		if err := check.Equal("instance touched", event.InstanceId, int32(0)); err != nil {
			return err
		}
	}
	return s.stillPausing()
}

func (s *story) resume() error {
	if err := s.api.ResumeJobUpdate(s.key, "back to normal"); err != nil {
		return err
	}
	details, err := s.expectStatus(aurora.JobUpdateStatus_ROLLING_FORWARD)
	if err != nil {
		return err
	}
	last := details.UpdateEvents[len(details.UpdateEvents)-1]
	if err := check.Equal("message", last.GetMessage(), "back to normal"); err != nil {
		return err
	}
	err = check.Until("pulses are needed no more", func() (bool, error) {
		answer, err := s.api.PulseJobUpdate(s.key)
		return answer == aurora.JobUpdatePulseStatus_FINISHED, err
	})
	if err != nil {
		return err
	}
	forward, err := s.api.MonitorJobUpdate(s.key, monitorEvery, limit)
	if err != nil {
		return err
	}
	if err := check.Equal("rolled forward", forward, true); err != nil {
		return err
	}
	details, err = s.expectStatus(aurora.JobUpdateStatus_ROLLED_FORWARD)
	if err != nil {
		return err
	}
	var actions []string
	for _, event := range details.InstanceEvents {
		actions = append(actions, fmt.Sprintf("%d %s", event.InstanceId, event.Action))
	}
	wanted := []string{
		"0 INSTANCE_UPDATING", "0 INSTANCE_UPDATED", "1 INSTANCE_UPDATING", "1 INSTANCE_UPDATED",
	}
	if err := check.Equal("instance events", actions, wanted); err != nil {
		return err
	}
	return s.expectRunning("2")
}

func (s *story) startAgain() error {
	_, err := s.api.StartJobUpdate(s.update("2"), "")
	return check.Refused(err, noResult)
}

func (s *story) pulseUnknown() error {
	job := s.jobKey()
	_, err := s.api.PulseJobUpdate(aurora.JobUpdateKey{Job: &job, ID: "no-such-update"})
	return check.Refused(err, "no-such-update")
}

func (s *story) kill() error {
	if err := s.api.KillJob(s.jobKey()); err != nil {
		return err
	}
	err := check.Until("nothing runs", func() (bool, error) {
		found, err := s.active()
		return len(found) == 0, err
	})
	if err != nil {
		return err
	}
	killed, err := s.api.KillInstances(s.jobKey())
	if err != nil {
		return err
	}
	return check.Equal("killed something", killed, false)
}

// ------------------------------------------------------------------------------------------------ questions

func (s *story) expectPulse(wanted aurora.JobUpdatePulseStatus) error {
	answer, err := s.api.PulseJobUpdate(s.key)
	if err != nil {
		return err
	}
	return check.Equal("pulse", answer, wanted)
}

// stillPausing fails once PauseJobUpdate has returned: it does that early only if the call went wrong.
func (s *story) stillPausing() error {
	select {
	case err := <-s.pauseReturned:
		return fmt.Errorf("PauseJobUpdate returned: %w", orElse(err, "update seen as ABORTED"))
	default:
		return nil
	}
}

func (s *story) details() (*aurora.JobUpdateDetails, error) {
	list, err := s.api.JobUpdateDetails(aurora.JobUpdateQuery{Key: &s.key, Limit: 1})
	if err != nil {
		return nil, err
	}
	if err := check.Equal("details", len(list), 1); err != nil {
		return nil, err
	}
	return list[0], check.Equal("their key", *list[0].Update.Summary.Key, s.key)
}

func (s *story) expectStatus(wanted aurora.JobUpdateStatus) (*aurora.JobUpdateDetails, error) {
	details, err := s.details()
	if err != nil {
		return nil, err
	}
	return details, check.Equal("status", status(details), wanted)
}

func status(details *aurora.JobUpdateDetails) aurora.JobUpdateStatus {
	return details.Update.Summary.State.Status
}

// active tells of each instance that has not ended its status and its executor data.
func (s *story) active() ([]string, error) {
	key := s.jobKey()
	tasks, err := s.api.GetTaskStatus(&aurora.TaskQuery{
		Role:        &key.Role,
		Environment: &key.Environment,
		JobName:     &key.Name,
		Statuses:    aurora.ACTIVE_STATES,
	})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, task := range tasks {
		assigned := task.AssignedTask
		found = append(found, describe(assigned.InstanceId, task.Status, assigned.Task.ExecutorConfig.Data))
	}
	sort.Strings(found)
	return found, nil
}

func (s *story) expectRunning(version string) error {
	found, err := s.active()
	if err != nil {
		return err
	}
	return check.Equal("tasks", found, running(version))
}

// -------------------------------------------------------------------------------------------------- records

func describe(instance int32, status aurora.ScheduleStatus, data string) string {
	return fmt.Sprintf("%d %s %s", instance, status, data)
}

func running(version string) []string {
	var all []string
	for i := int32(0); i < instances; i++ {
		all = append(all, describe(i, aurora.ScheduleStatus_RUNNING, executorData(version)))
	}
	return all
}

func executorData(version string) string {
	return fmt.Sprintf(`{"task":{"name":%q,"processes":[{"name":"p","cmdline":"sleep 3600"}]}}`, version)
}

func (s *story) jobKey() aurora.JobKey {
	return aurora.JobKey{Role: role, Environment: environment, Name: s.name}
}

func (s *story) job(version string) *realis.AuroraJob {
	return realis.NewJob().
		Role(role).
		Environment(environment).
		Name(s.name).
		InstanceCount(instances).
		IsService(true).
		MaxFailure(1).
		CPU(0.5).
		RAM(64).
		Disk(128).
		ExecutorName(aurora.AURORA_EXECUTOR_NAME).
		ExecutorData(executorData(version))
}

func (s *story) update(version string) *realis.JobUpdate {
	return realis.JobUpdateFromAuroraTask(s.job(version).AuroraTask()).
		InstanceCount(instances).
		BatchSize(1).
		WatchTime(watchTime).
		PulseIntervalTimeout(pulseInterval)
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}
