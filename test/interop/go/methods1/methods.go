package main

import (
	"fmt"
	"time"

	"interop/check"

	realis "github.com/paypal/gorealis"
	"github.com/paypal/gorealis/gen-go/apache/aurora"
	"github.com/paypal/gorealis/response"
)

// parts are what can be called in one go. Within each the order counts: a method finds what those before it
// have left. The hosts are everybody's, so nobody else may have jobs while theirs are called.
func (c *caller) parts() check.Parts {
	return check.Parts{
		"jobs": concat(c.connection(), c.jobs(), c.reads(), c.quota(), c.updates(), c.instances(), c.crons(), c.ends()),
		"hosts": concat(c.maintenance(), c.administration(), []check.Method{{
			Name:  "Close",
			Works: func() (string, error) { c.api.Close(); return "closed", nil },
			Fails: check.Never,
		}}),
	}
}

func concat(lists ...[]check.Method) []check.Method {
	var all []check.Method
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func (c *caller) connection() []check.Method {
	return []check.Method{
		{
			Name: "RealisConfig",
			Works: func() (string, error) {
				return "settings", check.Equal("nil", c.api.RealisConfig() == nil, false)
			},
			Fails: check.Never,
		},
		{
			Name: "ReestablishConn",
			Works: func() (string, error) {
				if err := c.api.ReestablishConn(); err != nil {
					return "", err
				}
				_, _, err := c.api.GetJobs(c.role)
				return "the next call gets through", err
			},
			Fails: check.Never,
		},
	}
}

func (c *caller) jobs() []check.Method {
	return []check.Method{
		{
			Name:  "CreateJob",
			Works: func() (string, error) { return "created", ok(c.api.CreateJob(c.job(c.main, "1"))) },
			Fails: check.Server(func() error {
				return errorOf(c.api.CreateJob(c.job(c.main, "1")))
			}, c.role+"/prod/main"),
		},
		{
			Name: "Instances",
			Works: func() (string, error) {
				live, err := c.monitor.Instances(&c.main, 2, monitorEvery, waitLimit)
				return "2 live", orDiffers(err, live, true)
			},
			Fails: check.TimesOut(func() error {
				_, err := c.monitor.Instances(&c.main, 3, monitorEvery, shortWait)
				return err
			}),
		},
		{
			Name: "ScheduleStatus",
			Works: func() (string, error) {
				running := map[aurora.ScheduleStatus]bool{aurora.ScheduleStatus_RUNNING: true}
				all, err := c.monitor.ScheduleStatus(&c.main, 2, running, monitorEvery, waitLimit)
				return "2 RUNNING", orDiffers(err, all, true)
			},
			Fails: check.Server(func() error {
				_, err := c.monitor.ScheduleStatus(&c.bad, 2, realis.LiveStates, monitorEvery, waitLimit)
				return err
			}, notAKey),
		},
	}
}

func (c *caller) reads() []check.Method {
	return []check.Method{
		{
			Name: "GetInstanceIds",
			Works: func() (string, error) {
				found, err := c.api.GetInstanceIds(&c.main, aurora.ACTIVE_STATES)
				return fmt.Sprint(sorted(found)), orDiffers(err, sorted(found), []int32{0, 1})
			},
			Fails: check.Server(func() error {
				_, err := c.api.GetInstanceIds(&c.bad, aurora.ACTIVE_STATES)
				return err
			}, notAKey),
		},
		{
			Name: "GetTaskStatus",
			Works: func() (string, error) {
				tasks, err := c.api.GetTaskStatus(query(c.main, aurora.ACTIVE_STATES...))
				if err := orDiffers(err, ids(tasks), []int32{0, 1}); err != nil {
					return "", err
				}
				found := tasks[0].AssignedTask.Task.ExecutorConfig.Data
				return "2 tasks with executor data", check.Equal("data", found, data("1"))
			},
			Fails: check.Server(func() error {
				_, err := c.api.GetTaskStatus(query(c.bad))
				return err
			}, notAKey),
		},
		{
			Name: "GetTasksWithoutConfigs",
			Works: func() (string, error) {
				tasks, err := c.api.GetTasksWithoutConfigs(query(c.main, aurora.ACTIVE_STATES...))
				if err := orDiffers(err, ids(tasks), []int32{0, 1}); err != nil {
					return "", err
				}
				found := *tasks[0].AssignedTask.Task.ExecutorConfig
				wanted := aurora.ExecutorConfig{Name: aurora.AURORA_EXECUTOR_NAME}
				if err := check.Equal("executor", found, wanted); err != nil {
					return "", err
				}
				byRole, err := c.api.GetTasksWithoutConfigs(&aurora.TaskQuery{Role: &c.role})
				return "WIRE-042 2 tasks, without executor data", orDiffers(err, len(byRole), 2)
			},
			Fails: check.Server(func() error {
				_, err := c.api.GetTasksWithoutConfigs(query(c.bad))
				return err
			}, notAKey),
		},
		{
			Name: "FetchTaskConfig",
			Works: func() (string, error) {
				found, err := c.api.FetchTaskConfig(aurora.InstanceKey{JobKey: &c.main, InstanceId: 1})
				if err != nil {
					return "", err
				}
				return "config of instance 1", check.Equal("job", *found.Job, c.main)
			},
			Fails: check.Client(func() error {
				_, err := c.api.FetchTaskConfig(aurora.InstanceKey{JobKey: &c.main, InstanceId: 99})
				return err
			}, "doesn't exist"),
		},
		{
			Name: "GetJobs",
			Works: func() (string, error) {
				answer, found, err := c.api.GetJobs(c.role)
				if err := ok(answer, err); err != nil {
					return "", err
				}
				if err := check.Equal("jobs", len(found.Configs), 1); err != nil {
					return "", err
				}
				return "1 job", check.Equal("instances", found.Configs[0].InstanceCount, int32(2))
			},
			Fails: check.Nothing(func() error {
				answer, found, err := c.api.GetJobs(unknown)
				if err := ok(answer, err); err != nil {
					return err
				}
				return check.Equal("jobs", len(found.Configs), 0)
			}),
		},
		{
			Name: "GetPendingReason",
			Works: func() (string, error) {
				// More than the whole cluster has.
				job := c.job(c.pending, "1").InstanceCount(1).CPU(1e9)
				if err := ok(c.api.CreateJob(job)); err != nil {
					return "", err
				}
				told := ""
				err := check.Until("the task has a reason", func() (bool, error) {
					reasons, err := c.api.GetPendingReason(query(c.pending))
					if len(reasons) == 1 {
						told = reasons[0].Reason
					}
					return told != "", err
				})
				return told, err
			},
			Fails: check.Server(func() error {
				_, err := c.api.GetPendingReason(query(c.pending, aurora.ScheduleStatus_PENDING))
				return err
			}, "status"),
		},
	}
}

func (c *caller) quota() []check.Method {
	cpu, ram, disk, negative := 3.5, int64(20480), int64(10240), int64(-1)
	return []check.Method{
		{
			Name:  "SetQuota",
			Works: func() (string, error) { return "set", ok(c.api.SetQuota(c.role, &cpu, &ram, &disk)) },
			Fails: check.Server(func() error {
				return errorOf(c.api.SetQuota(c.role, &cpu, &ram, &negative))
			}, "negative"),
		},
		{
			Name: "GetQuota",
			Works: func() (string, error) {
				answer, err := c.api.GetQuota(c.role)
				if err := ok(answer, err); err != nil {
					return "", err
				}
				return checkQuota(answer.GetResult_().GetGetQuotaResult_(), cpu, ram, disk)
			},
			Fails: check.Server(func() error { return errorOf(c.api.GetQuota("")) }, "blank"),
		},
	}
}

// checkQuota wants one resource of each kind in each of the five aggregates.
func checkQuota(found *aurora.GetQuotaResult_, cpu float64, ram, disk int64) (string, error) {
	for name, aggregate := range map[string]*aurora.ResourceAggregate{
		"quota":                       found.Quota,
		"prodSharedConsumption":       found.ProdSharedConsumption,
		"nonProdSharedConsumption":    found.NonProdSharedConsumption,
		"prodDedicatedConsumption":    found.ProdDedicatedConsumption,
		"nonProdDedicatedConsumption": found.NonProdDedicatedConsumption,
	} {
		if err := check.Equal("resources of "+name, len(aggregate.GetResources()), 3); err != nil {
			return "", err
		}
	}
	for _, resource := range found.Quota.Resources {
		is := resource.GetNumCpus() == cpu || resource.GetRamMb() == ram || resource.GetDiskMb() == disk
		if !is || resource.CountSetFieldsResource() != 1 {
			return "", fmt.Errorf("quota has %v", resource)
		}
	}
	return "the three values, and four consumptions", nil
}

func (c *caller) updates() []check.Method {
	all := []check.Method{
		{
			Name: "CreateService",
			Works: func() (string, error) {
				answer, started, err := c.api.CreateService(c.job(c.service, "1"), settings(0))
				if err := ok(answer, err); err != nil {
					return "", err
				}
				if err := c.untilStatus(*started.Key, aurora.JobUpdateStatus_ROLLED_FORWARD); err != nil {
					return "", err
				}
				return "an update that makes the job", c.active(c.service, 0, 1)
			},
			Fails: check.Server(func() error {
				_, _, err := c.api.CreateService(c.job(c.service, "2").IsService(false), settings(0))
				return err
			}, "service"),
		},
		{
			Name: "StartJobUpdate",
			Works: func() (string, error) {
				key, err := c.start(c.update("2", coordinated(settings(time.Minute))))
				if err != nil {
					return "", err
				}
				c.paused = key
				found, err := c.status(key)
				return found.String(), orDiffers(err, found, aurora.JobUpdateStatus_ROLL_FORWARD_AWAITING_PULSE)
			},
			Fails: check.Server(func() error {
				return errorOf(c.api.StartJobUpdate(c.update("3", settings(0)), ""))
			}, "is active"),
		},
		{
			Name: "PulseJobUpdate",
			Works: func() (string, error) {
				answer, err := c.api.PulseJobUpdate(&c.paused)
				if err := ok(answer, err); err != nil {
					return "", err
				}
				status := answer.GetResult_().GetPulseJobUpdateResult_().GetStatus()
				return status.String(), check.Equal("status", status, aurora.JobUpdatePulseStatus_OK)
			},
			Fails: check.Server(func() error { return errorOf(c.api.PulseJobUpdate(&c.noUpdate)) }, unknown),
		},
	}
	return append(append(all, c.verbs()...), c.updateReads()...)
}

func (c *caller) verbs() []check.Method {
	return []check.Method{
		{
			Name: "PauseJobUpdate",
			Works: func() (string, error) {
				if err := ok(c.api.PauseJobUpdate(&c.paused, "errors")); err != nil {
					return "", err
				}
				return "paused", c.untilStatus(c.paused, aurora.JobUpdateStatus_ROLL_FORWARD_PAUSED)
			},
			Fails: check.Server(func() error { return errorOf(c.api.PauseJobUpdate(&c.noUpdate, "")) }, unknown),
		},
		{
			Name: "ResumeJobUpdate",
			Works: func() (string, error) {
				if err := ok(c.api.ResumeJobUpdate(&c.paused, "no errors")); err != nil {
					return "", err
				}
				return "goes on", c.untilStatus(c.paused, aurora.JobUpdateStatus_ROLLING_FORWARD)
			},
			Fails: check.Server(func() error { return errorOf(c.api.ResumeJobUpdate(&c.noUpdate, "")) }, unknown),
		},
		{
			// Returns when it has seen the update as ABORTED.
			Name:  "AbortJobUpdate",
			Works: func() (string, error) { return "ABORTED", ok(c.api.AbortJobUpdate(c.paused, "enough")) },
			Fails: check.Server(func() error { return errorOf(c.api.AbortJobUpdate(c.noUpdate, "")) }, unknown),
		},
		{
			Name: "RollbackJobUpdate",
			Works: func() (string, error) {
				// Watched for as long as the look at what it does takes.
				key, err := c.start(c.update("3", settings(shortWait*time.Second)))
				if err != nil {
					return "", err
				}
				c.back = key
				return "rolls back", ok(c.api.RollbackJobUpdate(key, "as it was"))
			},
			Fails: check.Server(func() error { return errorOf(c.api.RollbackJobUpdate(c.noUpdate, "")) }, unknown),
		},
	}
}

func (c *caller) updateReads() []check.Method {
	rollingBack := map[aurora.JobUpdateStatus]bool{aurora.JobUpdateStatus_ROLLING_BACK: true}
	return []check.Method{
		{
			Name: "JobUpdateStatus",
			Works: func() (string, error) {
				found, err := c.monitor.JobUpdateStatus(c.back, rollingBack, time.Second/2, waitLimit*time.Second)
				return found.String(), orDiffers(err, found, aurora.JobUpdateStatus_ROLLING_BACK)
			},
			Fails: check.Client(func() error {
				_, err := c.monitor.JobUpdateStatus(c.noUpdate, rollingBack, time.Second/2, time.Second)
				return err
			}, "No update found"),
		},
		{
			Name: "JobUpdate",
			Works: func() (string, error) {
				if err := c.untilStatus(c.back, aurora.JobUpdateStatus_ROLLED_BACK); err != nil {
					return "", err
				}
				key, err := c.start(c.update("4", settings(100*time.Millisecond)))
				if err != nil {
					return "", err
				}
				c.forward = key
				forward, err := c.monitor.JobUpdate(key, monitorEvery, waitLimit)
				return "ROLLED_FORWARD", orDiffers(err, forward, true)
			},
			Fails: check.Client(func() error {
				_, err := c.monitor.JobUpdate(c.back, monitorEvery, waitLimit)
				return err
			}, "bad terminal state for update: ROLLED_BACK"),
		},
		{
			Name: "GetJobUpdateSummaries",
			Works: func() (string, error) {
				answer, err := c.api.GetJobUpdateSummaries(&aurora.JobUpdateQuery{JobKey: &c.service})
				if err := ok(answer, err); err != nil {
					return "", err
				}
				found := response.JobUpdateSummaries(answer)
				if err := check.Equal("summaries", len(found), 4); err != nil {
					return "", err
				}
				return "4, the newest first", check.Equal("key", *found[0].Key, c.forward)
			},
			Fails: check.Server(func() error { return errorOf(c.api.GetJobUpdateSummaries(badOffset())) }, "offset"),
		},
		{
			Name: "JobUpdateDetails",
			Works: func() (string, error) {
				answer, err := c.api.JobUpdateDetails(aurora.JobUpdateQuery{Key: &c.forward})
				if err := ok(answer, err); err != nil {
					return "", err
				}
				found := response.JobUpdateDetails(answer)
				if err := check.Equal("updates", len(found), 1); err != nil {
					return "", err
				}
				return "1, 4 instance events", check.Equal("instance events", len(found[0].InstanceEvents), 4)
			},
			Fails: check.Server(func() error { return errorOf(c.api.JobUpdateDetails(*badOffset())) }, "offset"),
		},
	}
}

func (c *caller) instances() []check.Method {
	return []check.Method{
		{
			Name: "AddInstances",
			Works: func() (string, error) {
				err := ok(c.api.AddInstances(aurora.InstanceKey{JobKey: &c.main, InstanceId: 0}, 2))
				if err != nil {
					return "", err
				}
				return "instances 0 to 3", c.active(c.main, 0, 1, 2, 3)
			},
			Fails: check.Server(func() error {
				return errorOf(c.api.AddInstances(aurora.InstanceKey{JobKey: &c.main, InstanceId: 99}, 1))
			}, "99"),
		},
		{
			Name: "RemoveInstances",
			Works: func() (string, error) {
				if err := ok(c.api.RemoveInstances(&c.main, 1)); err != nil {
					return "", err
				}
				return "instances 0 to 2", c.active(c.main, 0, 1, 2)
			},
			Fails: check.Client(func() error {
				return errorOf(c.api.RemoveInstances(&c.main, 100))
			}, "Insufficient active instances"),
		},
		{
			Name: "RestartInstances",
			Works: func() (string, error) {
				before, err := c.taskIds(1)
				if err != nil {
					return "", err
				}
				if err := ok(c.api.RestartInstances(&c.main, 1)); err != nil {
					return "", err
				}
				return "another task runs", c.replaced(1, before)
			},
			Fails: check.Server(func() error { return errorOf(c.api.RestartInstances(&c.main, 99)) }, "active"),
		},
		{
			Name: "RestartJob",
			Works: func() (string, error) {
				before, err := c.taskIds(0)
				if err != nil {
					return "", err
				}
				if err := ok(c.api.RestartJob(&c.main)); err != nil {
					return "", err
				}
				return "other tasks run", c.replaced(0, before)
			},
			Fails: check.Client(func() error {
				return errorOf(c.api.RestartJob(&c.cron))
			}, "No tasks in the Active state"),
		},
		{
			Name: "KillInstances",
			Works: func() (string, error) {
				if err := ok(c.api.KillInstances(&c.main, 2)); err != nil {
					return "", err
				}
				return "instances 0 and 1", c.active(c.main, 0, 1)
			},
			Fails: check.Server(func() error { return errorOf(c.api.KillInstances(&c.bad, 0)) }, notAKey),
		},
	}
}

func (c *caller) taskIds(instance int32) ([]string, error) {
	asked := query(c.main, aurora.ScheduleStatus_RUNNING)
	asked.InstanceIds = []int32{instance}
	tasks, err := c.other.GetTaskStatus(asked)
	var found []string
	for _, task := range tasks {
		found = append(found, task.AssignedTask.TaskId)
	}
	return found, err
}

func (c *caller) replaced(instance int32, before []string) error {
	return check.Until("the instance has another task", func() (bool, error) {
		now, err := c.taskIds(instance)
		return len(before) == 1 && len(now) == 1 && now[0] != before[0], err
	})
}

func (c *caller) crons() []check.Method {
	return []check.Method{
		{
			Name: "ScheduleCronJob",
			Works: func() (string, error) {
				return "scheduled", ok(c.api.ScheduleCronJob(c.cronJob("0 3 1 1 *")))
			},
			Fails: check.Server(func() error {
				return errorOf(c.api.ScheduleCronJob(c.cronJob("@daily")))
			}, "@daily"),
		},
		{
			Name: "StartCronJob",
			Works: func() (string, error) {
				if err := ok(c.api.StartCronJob(&c.cron)); err != nil {
					return "", err
				}
				return "its tasks run", c.active(c.cron, 0, 1)
			},
			Fails: check.Server(func() error { return errorOf(c.api.StartCronJob(&c.main)) }, c.main.Name),
		},
		{
			Name: "DescheduleCronJob",
			Works: func() (string, error) {
				if err := ok(c.api.DescheduleCronJob(&c.cron)); err != nil {
					return "", err
				}
				return "descheduled, its tasks run on", c.active(c.cron, 0, 1)
			},
			Fails: check.Server(func() error { return errorOf(c.api.DescheduleCronJob(&c.bad)) }, notAKey),
		},
	}
}

func (c *caller) ends() []check.Method {
	return []check.Method{
		{
			Name: "KillJob",
			Works: func() (string, error) {
				for _, key := range []aurora.JobKey{c.main, c.cron, c.pending} {
					if err := ok(c.api.KillJob(&key)); err != nil {
						return "", err
					}
					if err := c.active(key); err != nil {
						return "", err
					}
				}
				return "no active task is left", nil
			},
			Fails: check.Server(func() error {
				key, err := c.start(c.update("5", settings(shortWait*time.Second)))
				if err != nil {
					return err
				}
				_, refused := c.api.KillJob(&c.service)
				if err := c.untilStatus(key, aurora.JobUpdateStatus_ROLLED_FORWARD); err != nil {
					return err
				}
				if err := ok(c.api.KillJob(&c.service)); err != nil {
					return err
				}
				return refused
			}, "is being updated"),
		},
	}
}

func (c *caller) maintenance() []check.Method {
	policy := &aurora.SlaPolicy{
		PercentageSlaPolicy: &aurora.PercentageSlaPolicy{Percentage: 66, DurationSecs: 300},
	}
	return []check.Method{
		{
			Name: "StartMaintenance",
			Works: func() (string, error) {
				if err := ok(c.api.CreateJob(c.job(c.service, "1"))); err != nil {
					return "", err
				}
				if err := c.active(c.service, 0, 1); err != nil {
					return "", err
				}
				answer, found, err := c.api.StartMaintenance(host)
				return hosts(found.GetStatuses, ok(answer, err), map[string]string{host: "SCHEDULED"})
			},
			Fails: check.Nothing(func() error {
				answer, found, err := c.api.StartMaintenance(unknown)
				return noHosts(found.GetStatuses, ok(answer, err))
			}),
		},
		{
			Name: "MaintenanceStatus",
			Works: func() (string, error) {
				answer, found, err := c.api.MaintenanceStatus(host, unknown)
				return hosts(found.GetStatuses, ok(answer, err), map[string]string{host: "SCHEDULED"})
			},
			Fails: check.Client(func() error {
				_, _, err := c.api.MaintenanceStatus()
				return err
			}, "no hosts provided"),
		},
		{
			Name: "DrainHosts",
			Works: func() (string, error) {
				answer, found, err := c.api.DrainHosts(host)
				return hosts(found.GetStatuses, ok(answer, err), map[string]string{host: "DRAINING"})
			},
			Fails: check.Nothing(func() error {
				answer, found, err := c.api.DrainHosts(unknown)
				return noHosts(found.GetStatuses, ok(answer, err))
			}),
		},
		{
			Name: "HostMaintenance",
			Works: func() (string, error) {
				drained := []aurora.MaintenanceMode{aurora.MaintenanceMode_DRAINED}
				found, err := c.monitor.HostMaintenance([]string{host}, drained, monitorEvery, waitLimit)
				return fmt.Sprint("DRAINED: ", found), orDiffers(err, found, map[string]bool{host: true})
			},
			Fails: check.TimesOut(func() error {
				none := []aurora.MaintenanceMode{aurora.MaintenanceMode_NONE}
				_, err := c.monitor.HostMaintenance([]string{host}, none, monitorEvery, shortWait)
				return err
			}),
		},
		{
			Name: "EndMaintenance",
			Works: func() (string, error) {
				answer, found, err := c.api.EndMaintenance(host)
				told, err := hosts(found.GetStatuses, ok(answer, err), map[string]string{host: "NONE"})
				if err != nil {
					return told, err
				}
				return "NONE, and tasks run again", c.active(c.service, 0, 1)
			},
			Fails: check.Nothing(func() error {
				answer, found, err := c.api.EndMaintenance(unknown)
				return noHosts(found.GetStatuses, ok(answer, err))
			}),
		},
		{
			Name: "SLADrainHosts",
			Works: func() (string, error) {
				found, err := c.api.SLADrainHosts(policy, 900, host)
				told, err := hosts(found.GetStatuses, err, map[string]string{host: "DRAINING"})
				if err != nil {
					return "", err
				}
				if _, _, err := c.api.EndMaintenance(host); err != nil {
					return "", err
				}
				if err := c.active(c.service, 0, 1); err != nil {
					return "", err
				}
				return told, ok(c.api.KillJob(&c.service))
			},
			Fails: check.Nothing(func() error {
				found, err := c.api.SLADrainHosts(policy, 900, unknown)
				return noHosts(found.GetStatuses, err)
			}),
		},
	}
}

func (c *caller) administration() []check.Method {
	batch, none := int32(10), int32(0)
	done := func(call func() error) func() (string, error) {
		return func() (string, error) { return "OK", call() }
	}
	return []check.Method{
		{Name: "Snapshot", Works: done(c.api.Snapshot), Fails: check.Never},
		{Name: "PerformBackup", Works: done(c.api.PerformBackup), Fails: check.Never},
		{
			Name:  "ForceImplicitTaskReconciliation",
			Works: done(c.api.ForceImplicitTaskReconciliation),
			Fails: check.Never,
		},
		{
			Name: "ForceExplicitTaskReconciliation",
			Works: func() (string, error) {
				if err := c.api.ForceExplicitTaskReconciliation(nil); err != nil {
					return "", err
				}
				return "OK with and without a batch size", c.api.ForceExplicitTaskReconciliation(&batch)
			},
			Fails: check.Client(func() error {
				return c.api.ForceExplicitTaskReconciliation(&none)
			}, "Invalid batch size"),
		},
	}
}

// orDiffers is the error of a call, or what is wrong with its answer.
func orDiffers(err error, found, wanted any) error {
	if err != nil {
		return err
	}
	return check.Equal("answer", found, wanted)
}
