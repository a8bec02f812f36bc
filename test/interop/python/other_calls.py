"""The RPCs that no gorealis calls, over TBinary: each once so that it succeeds, and once so that it can't.

Prints a line for each. The scheduler's address comes from AURORA_URL; the exit code is 1 when anything is not
as it should be.
"""
import json
import os
import sys

from aurora_client import answered, connect, expect, until
from gen.apache.aurora.api import AuroraAdmin
from gen.apache.aurora.api.constants import ACTIVE_STATES
from gen.apache.aurora.api.ttypes import (
    ExecutorConfig,
    Identity,
    JobConfiguration,
    JobKey,
    JobUpdateKey,
    JobUpdateQuery,
    JobUpdateRequest,
    JobUpdateSettings,
    Range,
    Resource,
    ResponseCode,
    RoleSummary,
    ScheduleStatus,
    TaskConfig,
    TaskQuery,
)

ROLE = "others"
UNKNOWN = "no-such-thing"


def key(name):
    return JobKey(role=ROLE, environment="prod", name=name)


def job(name, instances=2, service=True, cron=None, version="1"):
    data = json.dumps({"task": {"name": version, "processes": [{"name": "p", "cmdline": "sleep 3600"}]}})
    config = TaskConfig(
        job=key(name),
        owner=Identity(user=ROLE),
        isService=service,
        maxTaskFailures=1,
        resources={Resource(numCpus=0.5), Resource(ramMb=64), Resource(diskMb=128)},
        executorConfig=ExecutorConfig(name="AuroraExecutor", data=data),
    )
    return JobConfiguration(
        key=key(name), owner=Identity(user=ROLE), taskConfig=config, instanceCount=instances, cronSchedule=cron
    )


def bad_job():
    return job("a/b")


def update(name, version):
    settings = JobUpdateSettings(updateGroupSize=2, minWaitInInstanceRunningMs=0, rollbackOnFailure=True)
    return JobUpdateRequest(taskConfig=job(name, version=version).taskConfig, instanceCount=2, settings=settings)


class Others:
    def __init__(self, client):
        self.client = client
        self.update = None

    def tasks(self, name, statuses=ACTIVE_STATES):
        query = TaskQuery(jobKeys={key(name)}, statuses=set(statuses))
        return answered(self.client.getTasksStatus(query)).scheduleStatusResult.tasks

    def run(self):
        for name in ORDER:
            works, fails = getattr(self, "call_" + name)()
            print(f"| {name:21} | {works:52} | {fails}", flush=True)
        methods = {name for name in dir(AuroraAdmin.Iface) if not name.startswith("_")}
        expect("methods that nobody calls", methods - set(ORDER) - GOREALIS, {"commitRecovery"})

    def refusal(self, response, code=ResponseCode.INVALID_REQUEST):
        """Wants this refusal, with one message and no result; tells its text."""
        expect("result", answered(response, code, details=1), None)
        return f"{ResponseCode._VALUES_TO_NAMES[code]}: {response.details[0].message[:70]}"

    def call_getTierConfigs(self):
        found = answered(self.client.getTierConfigs()).getTierConfigResult
        tiers = {tier.name: tier.settings for tier in found.tiers}
        expect("default", found.defaultTierName, "preemptible")
        settings = {"preemptible": ("true", "false"), "preferred": ("false", "false"), "revocable": ("true", "true")}
        expect("tiers", tiers, {n: {"preemptible": p, "revocable": r} for n, (p, r) in settings.items()})
        return "three tiers", NEVER

    def call_populateJobConfig(self):
        config = answered(self.client.populateJobConfig(job("main"))).populateJobResult.taskConfig
        expect("filled in", (config.tier, config.production, config.container.mesos is None), ("preemptible", False, False))
        return "tier and container filled in", self.refusal(self.client.populateJobConfig(bad_job()))

    def call_getJobUpdateDiff(self):
        answered(self.client.createJob(job("main")))
        until("it runs", lambda: [t.status for t in self.tasks("main")] == [ScheduleStatus.RUNNING] * 2)
        same = answered(self.client.getJobUpdateDiff(update("main", "1"))).getJobUpdateDiffResult
        sets = [len(same.add), len(same.remove), len(same.update), len(same.unchanged)]
        expect("nothing to do", sets, [0, 0, 0, 1])
        found = answered(self.client.getJobUpdateDiff(update("main", "2"))).getJobUpdateDiffResult
        expect("instances", [group.instances for group in found.update], [{Range(first=0, last=1)}])
        return "both instances would be updated", self.refusal(self.client.getJobUpdateDiff(update("a/b", "1")))

    def call_getConfigSummary(self):
        summary = answered(self.client.getConfigSummary(key("main"))).configSummaryResult.summary
        expect("groups", [group.instances for group in summary.groups], [{Range(first=0, last=1)}])
        none = answered(self.client.getConfigSummary(key(UNKNOWN))).configSummaryResult.summary
        expect("of nobody", (none.key, none.groups), (key(UNKNOWN), set()))
        return "one group; none of a job nobody knows", self.refusal(
            self.client.getConfigSummary(key("a/b")), ResponseCode.ERROR
        )

    def call_getRoleSummary(self):
        summaries = answered(self.client.getRoleSummary()).roleSummaryResult.summaries
        mine = [summary for summary in summaries if summary.role == ROLE]
        expect("role", mine, [RoleSummary(role=ROLE, jobCount=1, cronJobCount=0)])
        return "one job", NEVER

    def call_getJobSummary(self):
        (summary,) = answered(self.client.getJobSummary(ROLE)).jobSummaryResult.summaries
        stats = summary.stats
        counts = [stats.activeTaskCount, stats.finishedTaskCount, stats.failedTaskCount, stats.pendingTaskCount]
        expect("counts", (summary.job.key, counts), (key("main"), [2, 0, 0, 0]))
        expect("of nobody", answered(self.client.getJobSummary(UNKNOWN)).jobSummaryResult.summaries, set())
        return "two active tasks", "OK, empty"

    def call_getJobUpdateDetails(self):
        # By the key alone, which is deprecated and says so; gorealis has no field for it.
        started = answered(self.client.startJobUpdate(update("main", "2"), None)).startJobUpdateResult
        self.update = started.key
        result = answered(self.client.getJobUpdateDetails(self.update, None), details=1)
        found = result.getJobUpdateDetailsResult
        expect("details", (found.details.update.summary.key, found.detailsList), (self.update, None))
        both = answered(self.client.getJobUpdateDetails(self.update, JobUpdateQuery(key=self.update)))
        expect("by both", len(both.getJobUpdateDetailsResult.detailsList), 1)
        unknown = JobUpdateKey(job=key("main"), id=UNKNOWN)
        return "by key: the update, and a message", self.refusal(self.client.getJobUpdateDetails(unknown, None))

    def call_replaceCronTemplate(self):
        answered(self.client.scheduleCronJob(job("cron", service=False, cron="0 3 1 1 *")))
        answered(self.client.replaceCronTemplate(job("cron", service=False, cron="0 4 1 1 *")))
        configs = answered(self.client.getJobs(ROLE)).getJobsResult.configs
        schedules = [config.cronSchedule for config in configs if config.key == key("cron")]
        expect("schedule", schedules, ["0 4 1 1 *"])
        none = job(UNKNOWN, service=False, cron="0 4 1 1 *")
        return "another schedule", self.refusal(self.client.replaceCronTemplate(none))

    def call_forceTaskState(self):
        task = self.tasks("main")[0].assignedTask.taskId
        answered(self.client.forceTaskState(task, ScheduleStatus.LOST))
        until("it is lost", lambda: [t.assignedTask.taskId for t in self.tasks("main", [ScheduleStatus.LOST])] == [task])
        return "LOST by force", self.refusal(self.client.forceTaskState("", ScheduleStatus.LOST), ResponseCode.ERROR)

    def call_pruneTasks(self):
        query = TaskQuery(jobKeys={key("main")}, statuses={ScheduleStatus.LOST})
        answered(self.client.pruneTasks(query))
        expect("left", self.tasks("main", [ScheduleStatus.LOST]), [])
        active = TaskQuery(statuses={ScheduleStatus.RUNNING})
        return "the lost one is forgotten", self.refusal(self.client.pruneTasks(active), ResponseCode.ERROR)

    def call_listBackups(self):
        answered(self.client.performBackup())
        self.backups = sorted(answered(self.client.listBackups()).listBackupsResult.backups)
        expect("prefix", {name[:17] for name in self.backups}, {"scheduler-backup-"})
        return f"{len(self.backups)} backups", NEVER

    def call_stageRecovery(self):
        answered(self.client.stageRecovery(self.backups[-1]))
        return "staged", self.refusal(self.client.stageRecovery(self.backups[-1]), ResponseCode.ERROR)

    def call_queryRecovery(self):
        mine = TaskQuery(jobKeys={key("main")}, statuses=set(ACTIVE_STATES))
        self.staged = sorted(
            task.assignedTask.taskId for task in answered(self.client.queryRecovery(mine)).queryRecoveryResult.tasks
        )
        expect("tasks", len(self.staged) > 0, True)
        # The refusals wait for call_unloadRecovery: nothing must be staged then.
        return f"{len(self.staged)} tasks", "see unloadRecovery"

    def call_deleteRecoveryTasks(self):
        answered(self.client.deleteRecoveryTasks(TaskQuery(taskIds={self.staged[0]})))
        mine = TaskQuery(jobKeys={key("main")}, statuses=set(ACTIVE_STATES))
        left = answered(self.client.queryRecovery(mine)).queryRecoveryResult.tasks
        expect("left", sorted(task.assignedTask.taskId for task in left), self.staged[1:])
        expect("live", self.staged[0] in [task.assignedTask.taskId for task in self.tasks("main")], True)
        return "one is deleted, and lives on in the live state", "see unloadRecovery"

    def call_unloadRecovery(self):
        answered(self.client.unloadRecovery())
        for response in (
            self.client.queryRecovery(TaskQuery()),
            self.client.deleteRecoveryTasks(TaskQuery()),
            self.client.commitRecovery(),
            self.client.stageRecovery(UNKNOWN),
        ):
            self.refusal(response, ResponseCode.ERROR)
        answered(self.client.unloadRecovery())
        return "nothing is staged; query, delete, commit are ERROR", "OK, a second time"


# What test/interop/go calls. commitRecovery ends the process, so its success is test/http's.
GOREALIS = set(
    """
    createJob scheduleCronJob descheduleCronJob startCronJob killTasks restartShards addInstances
    startJobUpdate pauseJobUpdate resumeJobUpdate abortJobUpdate rollbackJobUpdate pulseJobUpdate
    getTasksStatus getTasksWithoutConfigs getPendingReason getJobs getQuota getJobUpdateSummaries
    setQuota startMaintenance drainHosts slaDrainHosts maintenanceStatus endMaintenance performBackup snapshot
    triggerExplicitTaskReconciliation triggerImplicitTaskReconciliation
    """.split()
)
NEVER = "none: it takes nothing that could be wrong"
# Each finds what those before it have left.
ORDER = (
    "getTierConfigs",
    "populateJobConfig",
    "getJobUpdateDiff",
    "getConfigSummary",
    "getRoleSummary",
    "getJobSummary",
    "getJobUpdateDetails",
    "replaceCronTemplate",
    "forceTaskState",
    "pruneTasks",
    "listBackups",
    "stageRecovery",
    "queryRecovery",
    "deleteRecoveryTasks",
    "unloadRecovery",
)


def main():
    client, transport = connect(os.environ["AURORA_URL"])
    try:
        Others(client).run()
    except AssertionError as problem:
        print(f"FAILED: {problem}", file=sys.stderr)
        return 1
    finally:
        transport.close()
    print("all as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
