/** What a config may not hold whatever the flags say: unions without one member, numbers that are none. */
import type { Constraint, Container, Resource, SlaPolicy, TaskConfig } from '../model/config.js';
import { quoted } from './refusals.js';

/**
 * True unless exactly one member of a union is set: the client sent none, one of a newer IDL, or several,
 * of which none may be preferred.
 */
export function isBadUnion(union: object): boolean {
  return Object.values(union).filter((member) => member !== undefined).length !== 1;
}

function resourceProblem(resource: Resource): string | undefined {
  if (isBadUnion(resource))
    return 'taskConfig.resources: a resource must be of exactly one known kind';
  if (resource.numCpus !== undefined && !Number.isFinite(resource.numCpus)) {
    return 'taskConfig.resources: numCpus must be a finite number';
  }
  return undefined;
}

function constraintProblem(constraint: Constraint): string | undefined {
  const rule = constraint.constraint;
  return rule === undefined || isBadUnion(rule)
    ? `taskConfig.constraints: constraint ${quoted(constraint.name)} must be either a value or a limit`
    : undefined;
}

function containerProblem(container: Container): string | undefined {
  if (isBadUnion(container)) return 'taskConfig.container must be of exactly one known type';
  const image = container.mesos?.image;
  return image !== undefined && isBadUnion(image)
    ? 'taskConfig.container.mesos.image must be of exactly one known type'
    : undefined;
}

function slaPolicyProblem(policy: SlaPolicy): string | undefined {
  if (isBadUnion(policy)) return 'taskConfig.slaPolicy must be of exactly one known type';
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
