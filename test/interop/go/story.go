package main

import (
	"context"
	"fmt"
	"reflect"
	"sort"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	"interop/aurora"
)

const (
	instances = 2
	// Long enough to pause while the first instance is watched.
	watchMs        = 1500
	pulseTimeoutMs = 60_000
	limit          = 60 * time.Second
	pollEvery      = 50 * time.Millisecond
)

var background = context.Background()

// story is one job and its updates, told chapter by chapter; each stops at the first thing that is wrong.
type story struct {
	api *client
	job *aurora.JobKey
	key *aurora.JobUpdateKey
}

type chapter struct {
	title string
	tell  func() error
}

func newStory(api *client, name string) *story {
	return &story{api: api, job: &aurora.JobKey{Role: "vagrant", Environment: "prod", Name: name}}
}

func (s *story) chapters() []chapter {
	return []chapter{
		{"createJob: two instances run", s.create},
		{"startJobUpdate with a pulse timeout: blocked, nothing is touched", s.start},
		{"pulseJobUpdate: it rolls", s.roll},
		{"pauseJobUpdate: it stays paused, whatever is pulsed", s.pause},
		{"resumeJobUpdate: with pulses it goes on to its end", s.resume},
		{"startJobUpdate of what runs already: OK with a message and no result", s.startAgain},
		{"pulseJobUpdate of an update nobody knows: INVALID_REQUEST", s.pulseUnknown},
		{"killTasks: all instances end; a second call finds nothing and says so", s.kill},
	}
}

func (s *story) create() error {
	description := &aurora.JobConfiguration{
		Key:           s.job,
		Owner:         &aurora.Identity{User: s.job.Role},
		TaskConfig:    s.taskConfig("1"),
		InstanceCount: instances,
	}
	result, err := ok(s.api.CreateJob(background, description))
	if err != nil {
		return err
	}
	if err := expect("result", result, (*aurora.Result_)(nil)); err != nil {
		return err
	}
	if err := until("the job runs", func() (bool, error) { return s.allRun("1") }); err != nil {
		return err
	}
	response, err := s.api.CreateJob(background, description)
	_, err = answered(response, err, aurora.ResponseCode_INVALID_REQUEST, 1)
	return err
}

func (s *story) start() error {
	result, err := ok(s.api.StartJobUpdate(background, s.updateRequest("2"), "version 2"))
	if err != nil {
		return err
	}
	started := result.StartJobUpdateResult_
	s.key = started.Key
	if err := expect("key of the summary", started.UpdateSummary.Key, s.key); err != nil {
		return err
	}
	if err := s.expectStatus(aurora.JobUpdateStatus_ROLL_FORWARD_AWAITING_PULSE); err != nil {
		return err
	}
	details, err := s.details()
	if err != nil {
		return err
	}
	settings := details.Update.Instructions.Settings
	if err := expect("pulse timeout", settings.GetBlockIfNoPulsesAfterMs(), int32(pulseTimeoutMs)); err != nil {
		return err
	}
	// gorealis' monitors of batches read the strategy without asking whether it is there.
	if err := expect("group size", settings.UpdateStrategy.QueueStrategy.GroupSize, int32(1)); err != nil {
		return err
	}
	if err := expect("message", details.UpdateEvents[0].GetMessage(), "version 2"); err != nil {
		return err
	}
	if err := expect("instance events", len(details.InstanceEvents), 0); err != nil {
		return err
	}
	return s.expectAllRun("1")
}

func (s *story) roll() error {
	if err := s.expectPulse(aurora.JobUpdatePulseStatus_OK); err != nil {
		return err
	}
	err := until("an instance is updated", func() (bool, error) {
		details, err := s.details()
		return err == nil && len(details.InstanceEvents) > 0, err
	})
	if err != nil {
		return err
	}
	return s.expectStatus(aurora.JobUpdateStatus_ROLLING_FORWARD)
}

// pause calls the RPC itself: gorealis' own PauseJobUpdate then waits a minute for ABORTED (wire.md §6.2).
func (s *story) pause() error {
	if _, err := ok(s.api.PauseJobUpdate(background, s.key, "error rate above 1 %")); err != nil {
		return err
	}
	if err := s.expectStatus(aurora.JobUpdateStatus_ROLL_FORWARD_PAUSED); err != nil {
		return err
	}
	if err := s.expectPulse(aurora.JobUpdatePulseStatus_OK); err != nil {
		return err
	}
	if err := s.expectStatus(aurora.JobUpdateStatus_ROLL_FORWARD_PAUSED); err != nil {
		return err
	}
	details, err := s.details()
	if err != nil {
		return err
	}
	last := details.UpdateEvents[len(details.UpdateEvents)-1]
	if err := expect("last event", last.Status, aurora.JobUpdateStatus_ROLL_FORWARD_PAUSED); err != nil {
		return err
	}
	if err := expect("its message", last.GetMessage(), "error rate above 1 %"); err != nil {
		return err
	}
	for _, event := range details.InstanceEvents {
		if err := expect("instance touched", event.InstanceId, int32(0)); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) resume() error {
	if _, err := ok(s.api.ResumeJobUpdate(background, s.key, "back to normal")); err != nil {
		return err
	}
	if err := s.expectStatus(aurora.JobUpdateStatus_ROLLING_FORWARD); err != nil {
		return err
	}
	err := until("pulses are needed no more", func() (bool, error) {
		status, err := s.pulse(s.key)
		return status == aurora.JobUpdatePulseStatus_FINISHED, err
	})
	if err != nil {
		return err
	}
	if err := s.expectStatus(aurora.JobUpdateStatus_ROLLED_FORWARD); err != nil {
		return err
	}
	details, err := s.details()
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
	if err := expect("instance events", actions, wanted); err != nil {
		return err
	}
	return s.expectAllRun("2")
}

func (s *story) startAgain() error {
	response, err := s.api.StartJobUpdate(background, s.updateRequest("2"), "")
	result, err := answered(response, err, aurora.ResponseCode_OK, 1)
	if err != nil {
		return err
	}
	return expect("result", result, (*aurora.Result_)(nil))
}

func (s *story) pulseUnknown() error {
	response, err := s.api.PulseJobUpdate(background, &aurora.JobUpdateKey{Job: s.job, ID: "no-such-update"})
	_, err = answered(response, err, aurora.ResponseCode_INVALID_REQUEST, 1)
	return err
}

// kill sends an empty set of instances, which means all of them.
func (s *story) kill() error {
	if _, err := ok(s.api.KillTasks(background, s.job, []int32{}, "")); err != nil {
		return err
	}
	err := until("nothing runs", func() (bool, error) {
		live, err := s.live()
		return len(live) == 0, err
	})
	if err != nil {
		return err
	}
	response, err := s.api.KillTasks(background, s.job, []int32{}, "")
	_, err = answered(response, err, aurora.ResponseCode_OK, 1)
	return err
}

// ------------------------------------------------------------------------------------------------ questions

func (s *story) pulse(key *aurora.JobUpdateKey) (aurora.JobUpdatePulseStatus, error) {
	result, err := ok(s.api.PulseJobUpdate(background, key))
	if err != nil {
		return 0, err
	}
	return result.PulseJobUpdateResult_.Status, nil
}

func (s *story) expectPulse(wanted aurora.JobUpdatePulseStatus) error {
	status, err := s.pulse(s.key)
	if err != nil {
		return err
	}
	return expect("pulse", status, wanted)
}

// expectStatus asks as the monitors do: by key, for one summary, of this status among others.
func (s *story) expectStatus(wanted aurora.JobUpdateStatus) error {
	statuses := []aurora.JobUpdateStatus{wanted}
	query := &aurora.JobUpdateQuery{Key: s.key, Limit: 1, UpdateStatuses: statuses}
	result, err := ok(s.api.GetJobUpdateSummaries(background, query))
	if err != nil {
		return err
	}
	summaries := result.GetJobUpdateSummariesResult_.UpdateSummaries
	if err := expect("summaries of status "+wanted.String(), len(summaries), 1); err != nil {
		return err
	}
	return expect("status", summaries[0].State.Status, wanted)
}

func (s *story) details() (*aurora.JobUpdateDetails, error) {
	query := &aurora.JobUpdateQuery{Key: s.key, Limit: 1}
	result, err := ok(s.api.GetJobUpdateDetails(background, query))
	if err != nil {
		return nil, err
	}
	list := result.GetJobUpdateDetailsResult_.DetailsList
	if err := expect("details", len(list), 1); err != nil {
		return nil, err
	}
	return list[0], nil
}

// live tells of each instance that has not ended its status and its executor data.
func (s *story) live() ([]string, error) {
	query := &aurora.TaskQuery{
		Role:        thrift.StringPtr(s.job.Role),
		Environment: thrift.StringPtr(s.job.Environment),
		JobName:     thrift.StringPtr(s.job.Name),
		Statuses:    aurora.ACTIVE_STATES,
	}
	result, err := ok(s.api.GetTasksStatus(background, query))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, task := range result.ScheduleStatusResult_.Tasks {
		assigned := task.AssignedTask
		found = append(found, describe(assigned.InstanceId, task.Status, assigned.Task.ExecutorConfig.Data))
	}
	sort.Strings(found)
	return found, nil
}

func (s *story) allRun(version string) (bool, error) {
	live, err := s.live()
	return reflect.DeepEqual(live, running(version)), err
}

func (s *story) expectAllRun(version string) error {
	live, err := s.live()
	if err != nil {
		return err
	}
	return expect("tasks", live, running(version))
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

func (s *story) taskConfig(version string) *aurora.TaskConfig {
	return &aurora.TaskConfig{
		Job:             s.job,
		Owner:           &aurora.Identity{User: s.job.Role},
		IsService:       true,
		MaxTaskFailures: 1,
		Container:       &aurora.Container{Mesos: &aurora.MesosContainer{}},
		ExecutorConfig:  &aurora.ExecutorConfig{Name: "AuroraExecutor", Data: executorData(version)},
		Resources: []*aurora.Resource{
			{NumCpus: thrift.Float64Ptr(0.5)},
			{RamMb: thrift.Int64Ptr(64)},
			{DiskMb: thrift.Int64Ptr(128)},
		},
	}
}

func (s *story) updateRequest(version string) *aurora.JobUpdateRequest {
	return &aurora.JobUpdateRequest{
		TaskConfig:    s.taskConfig(version),
		InstanceCount: instances,
		Settings: &aurora.JobUpdateSettings{
			UpdateGroupSize:            1,
			MinWaitInInstanceRunningMs: watchMs,
			RollbackOnFailure:          true,
			BlockIfNoPulsesAfterMs:     thrift.Int32Ptr(pulseTimeoutMs),
		},
	}
}

// -------------------------------------------------------------------------------------------------- helpers

func expect(what string, found, wanted any) error {
	if reflect.DeepEqual(found, wanted) {
		return nil
	}
	return fmt.Errorf("%s: %v, not %v", what, found, wanted)
}

func until(what string, reached func() (bool, error)) error {
	for giveUp := time.Now().Add(limit); time.Now().Before(giveUp); time.Sleep(pollEvery) {
		if done, err := reached(); err != nil || done {
			return err
		}
	}
	return fmt.Errorf("waited %s in vain: %s", limit, what)
}
