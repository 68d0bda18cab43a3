/* A change to a launched pilot as a form has it: what is left empty stays as it is. Pure. */
import type { Schemas } from '../../api/client';
import type { Field } from '../../components/fields';

type Patch = Schemas['AmendmentCreate']['patch'];

export interface AmendDraft {
  arm: string;
  fromRound: number | '';
  method: string;
  topology: string;
  mergeEvery: number | '';
  numbers: string;
  epochs: number | '';
  lr: number | '';
  /** Names of the sites that take part from then on; none: as it is. */
  members: string[];
  why: string;
}

export const EMPTY: AmendDraft = {
  arm: '', fromRound: '', method: '', topology: '', mergeEvery: '', numbers: '', epochs: '', lr: '', members: [], why: '',
}; // prettier-ignore

/** Graphs that need no further settings. */
export const PLAIN_GRAPHS = ['full', 'ring', 'star', 'line', 'bipartite', 'torus', 'exponential', 'one_peer'] as const; // prettier-ignore

export const FIELDS: readonly Field[] = [
  { path: 'arm', label: 'ui.arm' },
  { path: 'from_round', label: 'ui.amend.from_round' },
  { path: 'patch.method', label: 'ui.method' },
  { path: 'patch.topology', label: 'ui.new.topology' },
  { path: 'patch.merge.merge_every', label: 'ui.new.merge_every' },
  { path: 'patch.merge.wire', label: 'ui.new.numbers' },
  { path: 'patch.train.epochs', label: 'ui.new.epochs' },
  { path: 'patch.train.lr', label: 'ui.amend.lr' },
  { path: 'patch.members', label: 'ui.amend.members' },
  { path: 'why', label: 'ui.amend.why' },
];

/** `compress`: whether models are compressed now, which a change of their numbers leaves as it is. */
export function amendmentOf(draft: AmendDraft, compress: boolean): Schemas['AmendmentCreate'] {
  const train = { ...set('epochs', draft.epochs), ...set('lr', draft.lr) };
  const merge = {
    ...set('merge_every', draft.mergeEvery),
    ...(draft.numbers ? { wire: { numbers: draft.numbers, compress } } : {}),
  };
  const patch = {
    ...set('method', draft.method),
    ...(draft.topology ? { topology: { kind: draft.topology } } : {}),
    ...(Object.keys(train).length > 0 ? { train } : {}),
    ...(draft.members.length > 0 ? { members: draft.members } : {}),
    ...(Object.keys(merge).length > 0 ? { merge } : {}),
  } as Patch;
  return {
    arm: draft.arm || null,
    from_round: draft.fromRound === '' ? null : draft.fromRound,
    patch,
    why: draft.why,
  };
}

function set<Name extends string, Value>(name: Name, value: Value | ''): Partial<Record<Name, Value>> {
  return value === '' ? {} : ({ [name]: value } as Partial<Record<Name, Value>>);
}
