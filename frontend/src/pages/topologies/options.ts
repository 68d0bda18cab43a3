/* The numbers that a random graph asks for: which kind has which, with which it begins, and whose a problem is. Pure. */
import type { Finding } from '../../api/problems';
import type { Spec } from './links';

export const OPTIONS = ['degree', 'probability', 'seed'] as const;
export type Option = (typeof OPTIONS)[number];

/** Those of a kind, in the order of the form. */
export function optionsOf(kind: Spec['kind']): readonly Option[] {
  if (kind === 'small_world') return OPTIONS;
  return kind === 'random_regular' ? ['degree', 'seed'] : [];
}

/** With what a kind begins that has just been chosen; few sites cannot have four links each, or all would be linked with all. */
export function startOf(kind: Spec['kind'], numSites: number): Pick<Spec, Option> {
  const degree = kind === 'random_regular' && numSites < 6 ? 2 : 4;
  const start = { degree, probability: 0.1, seed: 0 };
  return Object.fromEntries(optionsOf(kind).map((option) => [option, start[option]]));
}

const OF_DEGREE = ['topology_degree_too_high', 'regular_degree_odd', 'small_world_degree'];

/** The option that a problem of a whole topology is about; null where it is about none. */
export function optionMeant({ code, params }: Pick<Finding, 'code' | 'params'>): Option | null {
  if (OF_DEGREE.includes(code)) return 'degree';
  if (code !== 'topology_option_missing') return null;
  return OPTIONS.find((option) => option === params.option) ?? null;
}

/** The option that a problem of a topology's spec, the place `spec` of the body, belongs to; null where to none. */
export function optionOf(finding: Finding): Option | null {
  return OPTIONS.find((option) => finding.field === `spec.${option}`) ?? optionMeant(finding);
}

/** The place of the input that a problem is said at, `topology` being the place of the whole. */
export function placeMeant(finding: Finding, path: string, topology: string): string {
  const option = path === topology ? optionMeant(finding) : null;
  return option ? `${topology}.${option}` : path;
}
