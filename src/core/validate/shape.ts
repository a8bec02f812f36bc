/** What a config may not hold whatever the flags say: unions without a member, numbers that are none. */
import type { Constraint, Container, Resource, SlaPolicy, TaskConfig } from '../model/config.js';
import { quoted } from './refusals.js';

/** True when no member of a union is set: the client sent none, or one of a newer IDL. */
export function isEmptyUnion(union: object): boolean {
  return Object.values(union).every((member) => member === undefined);
}

function resourceProblem(resource: Resource): string | undefined {
  if (isEmptyUnion(resource)) return 'taskConfig.resources: a resource has no known kind';
  if (resource.numCpus !== undefined && !Number.isFinite(resource.numCpus)) {
    return 'taskConfig.resources: numCpus must be a finite number';
  }
  return undefined;
}

function constraintProblem(constraint: Constraint): string | undefined {
  const rule = constraint.constraint;
  return rule === undefined || isEmptyUnion(rule)
    ? `taskConfig.constraints: constraint ${quoted(constraint.name)} is neither a value nor a limit`
    : undefined;
}

function containerProblem(container: Container): string | undefined {
  if (isEmptyUnion(container)) return 'taskConfig.container is of no known type';
  const image = container.mesos?.image;
  return image !== undefined && isEmptyUnion(image)
    ? 'taskConfig.container.mesos.image is of no known type'
    : undefined;
}

function slaPolicyProblem(policy: SlaPolicy): string | undefined {
  if (isEmptyUnion(policy)) return 'taskConfig.slaPolicy is of no known type';
  const percentage = policy.percentageSlaPolicy?.percentage;
  return percentage !== undefined && !Number.isFinite(percentage)
    ? 'taskConfig.slaPolicy: percentage must be a finite number'
    : undefined;
}

/** The first malformed part of a config, by field; undefined when there is none (rpc.md §2, "Unions"). */
export function shapeProblem(config: TaskConfig): string | undefined {
  for (const resource of config.resources) {
    const problem = resourceProblem(resource);
    if (problem !== undefined) return problem;
  }
  for (const constraint of config.constraints) {
    const problem = constraintProblem(constraint);
    if (problem !== undefined) return problem;
  }
  return (
    (config.container && containerProblem(config.container)) ??
    (config.slaPolicy && slaPolicyProblem(config.slaPolicy))
  );
}
