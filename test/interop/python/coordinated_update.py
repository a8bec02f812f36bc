"""A deployer and a monitor in Python: a coordinated update from its start to its end, over TBinary.

Uses the Thrift library and generated stubs only, with the headers of the Aurora client for Python. The
scheduler's address comes from AURORA_URL; the exit code is 1 when anything is not as it should be.
"""
import json
import os
import sys

from aurora_client import answered, connect, expect, step, until
from gen.apache.aurora.api.constants import ACTIVE_STATES
from gen.apache.aurora.api.ttypes import (
    BatchJobUpdateStrategy,
    ExecutorConfig,
    Identity,
    JobConfiguration,
    JobKey,
    JobUpdateAction,
    JobUpdateKey,
    JobUpdatePulseStatus,
    JobUpdateQuery,
    JobUpdateRequest,
    JobUpdateSettings,
    JobUpdateStatus,
    JobUpdateStrategy,
    Metadata,
    QueueJobUpdateStrategy,
    Resource,
    ResponseCode,
    ScheduleStatus,
    TaskConfig,
    TaskQuery,
)

JOB = JobKey(role="www-data", environment="prod", name="python")
INSTANCES = 2
# Long enough to pause while the first instance is watched.
WATCH_MS = 1500
PULSE_TIMEOUT_MS = 60000


def task_config(version):
    data = json.dumps({"task": {"name": version, "processes": [{"name": "p", "cmdline": "sleep 3600"}]}})
    return TaskConfig(
        job=JOB,
        owner=Identity(user="deployer"),
        isService=True,
        maxTaskFailures=1,
        priority=0,
        production=False,
        tier="preemptible",
        resources={Resource(numCpus=0.5), Resource(ramMb=64), Resource(diskMb=128)},
        constraints=set(),
        taskLinks={},
        metadata=set(),
        executorConfig=ExecutorConfig(name="AuroraExecutor", data=data),
    )


def update_request(version, update_id):
    settings = JobUpdateSettings(
        updateGroupSize=1,
        maxPerInstanceFailures=0,
        maxFailedInstances=0,
        minWaitInInstanceRunningMs=WATCH_MS,
        rollbackOnFailure=True,
        waitForBatchCompletion=False,
        blockIfNoPulsesAfterMs=PULSE_TIMEOUT_MS,
        slaAware=False,
        updateStrategy=JobUpdateStrategy(queueStrategy=QueueJobUpdateStrategy(groupSize=1)),
    )
    return JobUpdateRequest(
        taskConfig=task_config(version),
        instanceCount=INSTANCES,
        settings=settings,
        metadata={Metadata(key="org.apache.aurora.client.update_id", value=update_id)},
    )


class Deployment:
    def __init__(self, client):
        self.client = client
        self.key = None

    def tasks(self):
        query = TaskQuery(role=JOB.role, environment=JOB.environment, jobName=JOB.name)
        return answered(self.client.getTasksStatus(query)).scheduleStatusResult.tasks

    def live(self):
        """Status and version of each instance that has not ended."""
        found = {}
        for task in self.tasks():
            if task.status in ACTIVE_STATES:
                version = json.loads(task.assignedTask.task.executorConfig.data)["task"]["name"]
                found[task.assignedTask.instanceId] = (task.status, version)
        return found

    def status(self):
        query = JobUpdateQuery(key=self.key)
        result = answered(self.client.getJobUpdateSummaries(query)).getJobUpdateSummariesResult
        expect("summaries", len(result.updateSummaries), 1)
        return result.updateSummaries[0].state.status

    def details(self):
        # The Aurora client sends the key beside the query; the query counts.
        response = self.client.getJobUpdateDetails(self.key, JobUpdateQuery(key=self.key))
        result = answered(response).getJobUpdateDetailsResult
        expect("details", (len(result.detailsList), result.details), (1, None))
        return result.detailsList[0]

    def pulse(self):
        return answered(self.client.pulseJobUpdate(self.key)).pulseJobUpdateResult.status

    def run(self):
        client = self.client
        running = {i: (ScheduleStatus.RUNNING, "1") for i in range(INSTANCES)}

        step("createJob: two instances run")
        job = JobConfiguration(
            key=JOB, owner=Identity(user="deployer"), taskConfig=task_config("1"), instanceCount=INSTANCES
        )
        expect("result", answered(client.createJob(job)), None)
        until("the job runs", lambda: self.live() == running)
        answered(client.createJob(job), ResponseCode.INVALID_REQUEST, details=1)

        step("startJobUpdate with a pulse timeout: blocked, nothing is touched")
        result = answered(client.startJobUpdate(update_request("2", "mine"), "version 2"))
        self.key = result.startJobUpdateResult.key
        expect("job of the key", self.key.job, JOB)
        expect("status", self.status(), JobUpdateStatus.ROLL_FORWARD_AWAITING_PULSE)
        details = self.details()
        settings = details.update.instructions.settings
        expect("pulse timeout", settings.blockIfNoPulsesAfterMs, PULSE_TIMEOUT_MS)
        expect("strategy", settings.updateStrategy.queueStrategy.groupSize, 1)
        expect("first event", details.updateEvents[0].message, "version 2")
        expect("instance events", details.instanceEvents, [])
        expect("tasks", self.live(), running)

        step("startJobUpdate again: refused with the active update's key and metadata")
        again = client.startJobUpdate(update_request("2", "mine"), "version 2")
        active = answered(again, ResponseCode.INVALID_REQUEST, details=1).startJobUpdateResult
        expect("active update", active.key, self.key)
        expect("its metadata", {m.value for m in active.updateSummary.metadata}, {"mine"})

        step("pulseJobUpdate: it rolls")
        expect("pulse", self.pulse(), JobUpdatePulseStatus.OK)
        until("an instance is updated", lambda: len(self.details().instanceEvents) > 0)
        expect("status", self.status(), JobUpdateStatus.ROLLING_FORWARD)

        step("pauseJobUpdate: it stays paused, whatever is pulsed")
        answered(client.pauseJobUpdate(self.key, "error rate above 1 %"))
        expect("status", self.status(), JobUpdateStatus.ROLL_FORWARD_PAUSED)
        expect("pulse", self.pulse(), JobUpdatePulseStatus.OK)
        expect("status", self.status(), JobUpdateStatus.ROLL_FORWARD_PAUSED)
        last = self.details().updateEvents[-1]
        expect("event", (last.status, last.message), (JobUpdateStatus.ROLL_FORWARD_PAUSED, "error rate above 1 %"))
        touched = {event.instanceId for event in self.details().instanceEvents}
        expect("touched instances", touched, {0})

        step("resumeJobUpdate: with pulses it goes on to its end")
        answered(client.resumeJobUpdate(self.key, "back to normal"))
        expect("status", self.status(), JobUpdateStatus.ROLLING_FORWARD)
        until("the pulses are needed no more", lambda: self.pulse() == JobUpdatePulseStatus.FINISHED)
        expect("status", self.status(), JobUpdateStatus.ROLLED_FORWARD)
        actions = [(event.instanceId, event.action) for event in self.details().instanceEvents]
        expect(
            "instance events",
            actions,
            [
                (instance, action)
                for instance in range(INSTANCES)
                for action in (JobUpdateAction.INSTANCE_UPDATING, JobUpdateAction.INSTANCE_UPDATED)
            ],
        )
        expect("tasks", self.live(), {i: (ScheduleStatus.RUNNING, "2") for i in range(INSTANCES)})

        step("startJobUpdate of what runs already: OK, a message, no result")
        expect("result", answered(client.startJobUpdate(update_request("2", "other"), None), details=1), None)

        step("pulseJobUpdate of an update nobody knows: INVALID_REQUEST")
        unknown = JobUpdateKey(job=JOB, id="no-such-update")
        answered(client.pulseJobUpdate(unknown), ResponseCode.INVALID_REQUEST, details=1)

        step("a batch update that is aborted")
        request = update_request("3", "third")
        request.settings.updateStrategy = JobUpdateStrategy(
            batchStrategy=BatchJobUpdateStrategy(groupSize=2, autopauseAfterBatch=False)
        )
        self.key = answered(client.startJobUpdate(request, None)).startJobUpdateResult.key
        answered(client.abortJobUpdate(self.key, None))
        expect("status", self.status(), JobUpdateStatus.ABORTED)
        expect("pulse", self.pulse(), JobUpdatePulseStatus.FINISHED)

        step("killTasks: all instances end; a second call finds nothing and says so")
        expect("result", answered(client.killTasks(JOB, None, None)), None)
        until("nothing runs", lambda: self.live() == {})
        ended = {task.status for task in self.tasks()}
        expect("ended tasks", ended, {ScheduleStatus.KILLED})
        answered(client.killTasks(JOB, None, None), details=1)


def main():
    client, transport = connect(os.environ["AURORA_URL"])
    try:
        Deployment(client).run()
    except AssertionError as problem:
        print(f"FAILED: {problem}", file=sys.stderr)
        return 1
    finally:
        transport.close()
    print("all as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
