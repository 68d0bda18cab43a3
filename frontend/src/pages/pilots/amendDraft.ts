/* A change to a launched pilot as a form has it: what is left empty stays as it is. Pure. */
import type { Schemas } from '../../api/client';
import type { Finding } from '../../api/problems';
import type { Field, Placed } from '../../components/fields';

type Patch = Schemas['AmendmentCreate']['patch'];
type Spec = Schemas['PilotSpec'];
type Made = Pick<Schemas['PilotAmendment'], 'arm' | 'state' | 'patch' | 'from_round'>;

export interface AmendDraft {
  arm: string;
  fromRound: number | '';
  method: string;
  topology: string;
  mixing: string;
  mergeEvery: number | '';
  numbers: string;
  /** 'yes', 'no', or as it is. */
  compress: string;
  /** Likewise: models as differences from what was sent last. */
  deltas: string;
  epochs: number | '';
  lr: number | '';
  momentum: number | '';
  /** Names of the sites that take part from then on; none: as it is. */
  members: string[];
  why: string;
}

export const EMPTY: AmendDraft = {
  arm: '', fromRound: '', method: '', topology: '', mixing: '', mergeEvery: '', numbers: '', compress: '', deltas: '', epochs: '', lr: '',
  momentum: '', members: [], why: '',
}; // prettier-ignore

/** Graphs that need no further settings. */
export const PLAIN_GRAPHS = ['full', 'ring', 'star', 'line', 'bipartite', 'torus', 'exponential', 'one_peer'] as const; // prettier-ignore

interface AmendField extends Field {
  of: keyof AmendDraft;
}

// Settings are called in the form as in the list of what was changed.
const setting = (name: string, of: keyof AmendDraft): AmendField => ({
  path: `patch.${name}`,
  label: `amendments.fields.${name}`,
  of,
});

export const FIELDS: readonly AmendField[] = [
  { path: 'arm', label: 'ui.arm', of: 'arm' },
  { path: 'from_round', label: 'ui.amend.from_round', of: 'fromRound' },
  setting('method', 'method'),
  setting('topology.kind', 'topology'),
  setting('topology.mixing', 'mixing'),
  setting('merge.merge_every', 'mergeEvery'),
  setting('merge.wire.numbers', 'numbers'),
  setting('merge.wire.compress', 'compress'),
  setting('merge.wire.deltas', 'deltas'),
  setting('train.epochs', 'epochs'),
  setting('train.lr', 'lr'),
  setting('train.momentum', 'momentum'),
  { path: 'patch.members', label: 'ui.amend.members', of: 'members' },
  { path: 'why', label: 'ui.amend.why', of: 'why' },
];

/** The draft for another arm: what can be asked of that one not at all is as it is. `trainsAlone`: it does not merge. */
export function ofArm(draft: AmendDraft, arm: string, trainsAlone: boolean): AmendDraft {
  const { method, topology, mixing, mergeEvery, numbers, compress, deltas, members } = EMPTY;
  return {
    ...draft,
    arm,
    ...(trainsAlone ? { method, topology, mixing, mergeEvery, numbers, compress, deltas } : {}),
    ...(arm === '' ? {} : { members }),
  };
}

/** A change that changes nothing is no fault of one of its settings. */
export function asBlamed(finding: Finding): Finding {
  return finding.code === 'amendment_changes_nothing' ? { ...finding, field: null } : finding;
}

/** Problems whose field is as it was sent: of what has changed since nobody knows. */
export function unchanged(problems: readonly Placed[], sent: AmendDraft, draft: AmendDraft): Placed[] {
  return problems.filter(({ field }) => {
    const of = FIELDS.find((one) => one === field)?.of;
    return of === undefined || draft[of] === sent[of];
  });
}

/** What is set whole although one part of it changes, as it is where the draft is to begin. */
export interface Now {
  /** Null: arms that merge have different ones. */
  topology: Spec['topology'] | null;
  wire: NonNullable<NonNullable<Spec['merge']>['wire']>;
}

export function settingsNow(spec: Spec, made: readonly Made[], draft: AmendDraft): Now {
  const merging = spec.arms.filter(({ method }) => method !== 'local_only');
  const arms = spec.arms.filter(({ name }) => name === draft.arm);
  const found = (arms.length > 0 ? arms : merging).map((arm) => {
    const patches = made
      .filter((one) => one.state !== 'refused' && (one.arm === null || one.arm === arm.name))
      .filter((one) => draft.fromRound === '' || (one.from_round ?? 1) <= draft.fromRound)
      .map(({ patch }) => patch);
    const last = <Value>(values: (Value | null | undefined)[]) => values.findLast((value) => value != null);
    return {
      topology: last([spec.topology, arm.topology, ...patches.map(({ topology }) => topology)]) ?? {},
      wire: last([spec.merge?.wire, arm.merge?.wire, ...patches.map(({ merge }) => merge?.wire)]) ?? {},
    };
  });
  const [first] = found;
  const same = found.every(({ topology }) => JSON.stringify(topology) === JSON.stringify(first?.topology));
  return { topology: same ? (first?.topology ?? {}) : null, wire: first?.wire ?? {} };
}

export function amendmentOf(draft: AmendDraft, now: Now): Schemas['AmendmentCreate'] {
  const train = {
    ...set('epochs', draft.epochs),
    ...set('lr', draft.lr),
    ...set('momentum', draft.momentum),
  };
  const wire = {
    ...set('numbers', draft.numbers),
    // Neither goes without the other: what is said of one alone is said of both.
    ...(draft.deltas === 'yes' ? { compress: true } : {}),
    ...(draft.compress === 'no' ? { deltas: false } : {}),
    ...(draft.compress ? { compress: draft.compress === 'yes' } : {}),
    ...(draft.deltas ? { deltas: draft.deltas === 'yes' } : {}),
  };
  const merge = {
    ...set('merge_every', draft.mergeEvery),
    ...(Object.keys(wire).length > 0 ? { wire: { ...now.wire, ...wire } } : {}),
  };
  const mixing = draft.mixing ? { mixing: draft.mixing, weights: null } : {};
  const patch = {
    ...set('method', draft.method),
    ...(draft.topology
      ? { topology: { kind: draft.topology, ...set('mixing', draft.mixing) } }
      : draft.mixing && now.topology
        ? { topology: { ...now.topology, ...mixing } }
        : {}),
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
