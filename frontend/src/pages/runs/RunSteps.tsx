/* What every site does in a round, in words; the round being worked on unless another is chosen. */
import { Select } from '@mantine/core';
import { keepPreviousData } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, http, type Schemas } from '../../api/client';
import { useAll } from '../../api/useAll';
import { Answer, Note } from '../../components/Answer';
import { DataTable, type Column } from '../../components/DataTable';
import { Panel } from '../../components/Page';
import { StateBadge } from '../../components/StateBadge';
import { useFormats } from '../../i18n/useFormats';
import { useSay } from '../../i18n/say';
import { lostBefore } from './lostBefore';
import { awayFor } from './silentSteps';
import { StepLogButton } from './StepLog';

type Step = Schemas['Step'];
const CURRENT = 'current';
const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);
const KINDS = ['prepare', 'adopt', 'align', 'evaluate', 'gather', 'merge', 'train'];

export function RunSteps({ run }: { run: Schemas['Run'] }) {
  const { t } = useTranslation();
  const [chosen, setChosen] = useState(CURRENT);
  const round = chosen === CURRENT ? Math.min(run.rounds_done + 1, run.rounds) : Number(chosen);
  const steps = useAll(
    '/api/v1/runs/{run_id}/steps',
    (query) =>
      http.GET('/api/v1/runs/{run_id}/steps', {
        params: { path: { run_id: run.id }, query: { ...query, round } },
      }),
    { run: run.id, round },
    { placeholderData: keepPreviousData },
  );
  const explained = api.useQuery(
    'get',
    '/api/v1/runs/{run_id}/explain',
    { params: { path: { run_id: run.id } } },
    { enabled: !ENDED.has(run.state) },
  );
  const sites = explained.data?.sites ?? [];
  const rounds = Array.from({ length: run.rounds + 1 }, (_, at) => ({
    value: String(at),
    label: at === 0 ? t('ui.steps.start') : t('ui.steps.round', { round: at }),
  }));
  return (
    <Panel
      title={round === 0 ? t('ui.steps.title_start') : t('ui.steps.title', { round })}
      aside={
        <Select
          size="xs"
          w={200}
          aria-label={t('ui.steps.choose')}
          data={[{ value: CURRENT, label: t('ui.steps.current') }, ...rounds]}
          value={chosen}
          onChange={(value) => value && setChosen(value)}
        />
      }
    >
      <Answer query={steps}>
        {(page) => {
          const groups = KINDS.map(
            (kind) => [kind, page.items.filter((step) => step.kind === kind)] as const,
          );
          const filled = groups.filter(([, items]) => items.length > 0);
          if (filled.length === 0) return <p className="aw-soft">{t('ui.steps.none')}</p>;
          return filled.map(([kind, items]) => (
            <Group key={kind} run={run.id} kind={kind} steps={items} sites={sites} />
          ));
        }}
      </Answer>
    </Panel>
  );
}

/** A step that the clock or its own site keeps waiting waits for no other. */
const WAITING: Readonly<Record<string, string>> = {
  'any.waiting_for_time': 'waiting_time',
  'any.waiting_for_runs': 'waiting_time',
  'any.waiting_for_arm': 'waiting_arm',
  'any.waiting_for_arm_at_start': 'waiting_arm',
  'any.waiting_for_window': 'waiting_time',
  'any.waiting_own': 'waiting_own',
  'any.waiting_for_run': 'waiting_run',
  'any.run_is_ending': 'waiting_run',
  'any.begins_soon': 'ready',
};

function shownState(step: Step): string {
  return WAITING[step.words.code] ?? step.state;
}

interface GroupProps {
  run: string;
  kind: string;
  steps: readonly Step[];
  sites: Schemas['RunExplained']['sites'];
}

function Group({ run, kind, steps, sites }: GroupProps) {
  const { t, i18n } = useTranslation();
  const say = useSay();
  const formats = useFormats();
  const done = steps.filter((step) => step.state === 'completed').length;
  const name = t(`ui.step_kind.${kind}`);
  const title = t('ui.steps.group', {
    kind: name,
    done: formats.number(done),
    total: formats.number(steps.length),
  });
  const words = (step: Step) => {
    const away = awayFor(step, sites);
    if (!away) return say('steps', step.words);
    if (away.doing === 'apart') return say('explain.site', away);
    return away.since
      ? t('ui.steps.site_silent', { since: formats.instant(away.since) })
      : t('ui.steps.site_not_connected');
  };
  const why = (step: Step, reason: Schemas['Text']) => {
    const lost = lostBefore(step);
    if (!lost) return say('reasons', reason);
    // What was taken back, and sent again since, was not lost.
    if (!i18n.exists(`ui.cause.${lost.cause}`)) return null;
    return t('ui.steps.lost_before', { attempt: lost.attempt, cause: t(`ui.cause.${lost.cause}`) });
  };
  const columns: Column<Step>[] = [
    { key: 'site', label: t('ui.sites.site'), main: true, cell: (step) => step.display_name },
    {
      key: 'state',
      label: t('ui.state_label'),
      cell: (step) => {
        const away = awayFor(step, sites);
        return away ? (
          <StateBadge of="doing" state={away.doing} />
        ) : (
          <StateBadge of="step" state={shownState(step)} />
        );
      },
    },
    {
      key: 'words',
      label: t('ui.steps.words'),
      cell: (step) => (
        <div>
          {words(step)}
          {step.behind && !awayFor(step, sites) ? (
            <span className="aw-sub">{say('explain.wait', step.behind)}</span>
          ) : null}
          {step.reason ? <span className="aw-sub">{why(step, step.reason)}</span> : null}
        </div>
      ),
    },
    {
      key: 'attempt',
      label: t('ui.steps.attempt'),
      number: true,
      cell: (step) => formats.number(step.attempt),
    },
    ...(steps.some((step) => step.num_epochs !== null)
      ? [
          {
            key: 'epochs',
            label: t('ui.steps.epochs'),
            number: true,
            cell: (step: Step) => (step.num_epochs === null ? '–' : formats.number(step.num_epochs)),
          },
        ]
      : []),
    { key: 'time', label: t('ui.steps.time'), number: true, cell: (step) => formats.duration(step.seconds) },
    { key: 'device', label: t('ui.sites.device'), cell: (step) => step.device ?? '–' },
    { key: 'log', label: t('ui.log.label'), cell: (step) => <StepLogButton run={run} step={step} /> },
  ];
  const failed = steps.filter((step) => step.state === 'failed');
  return (
    <details className="aw-fold" open={done < steps.length}>
      <summary>
        <h3>{title}</h3>
      </summary>
      {failed.length > 0 ? (
        <Note tone="bad" icon="warn">
          {t('ui.steps.failed', { names: formats.list(failed.map((step) => step.display_name)) })}
        </Note>
      ) : null}
      <DataTable
        caption={title}
        columns={columns}
        rows={steps}
        rowKey={(step) => `${step.kind} ${step.site_index}`}
      />
    </details>
  );
}
