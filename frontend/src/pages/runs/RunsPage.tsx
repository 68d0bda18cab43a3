/* The history: filtered, sorted and paged by the server; the view is in the address. */
import { Button, Select } from '@mantine/core';
import { keepPreviousData } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useSearchParams } from 'react-router';
import { api, http } from '../../api/client';
import { useAll } from '../../api/useAll';
import { Answer, Empty } from '../../components/Answer';
import { DataTable } from '../../components/DataTable';
import { LoadMore } from '../../components/LoadMore';
import { Page, Panel } from '../../components/Page';
import { SearchSelect } from '../../components/SearchSelect';
import { SearchText } from '../../components/SearchText';
import { useNarrow } from '../../layout/useNarrow';
import { useFormats } from '../../i18n/useFormats';
import { useLive } from '../../live/useLive';
import { METHODS, queryOf, STATES } from './runFilter';
import { useRunColumns } from './useRunColumns';

const FOLLOWED = ['/api/v1/runs'];

export function RunsPage() {
  const { t } = useTranslation();
  const formats = useFormats();
  const [search, setSearch] = useSearchParams();
  const query = queryOf(search);
  useLive({}, FOLLOWED);

  const set = (name: string, value: string | null) =>
    setSearch(
      (known) => {
        const next = new URLSearchParams(known);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );
  const runs = api.useInfiniteQuery(
    'get',
    '/api/v1/runs',
    { params: { query: { ...query, limit: 50 } } },
    {
      pageParamName: 'cursor',
      initialPageParam: null,
      getNextPageParam: (page) => page.next_cursor,
      placeholderData: keepPreviousData,
    },
  );
  const pilots = useAll('/api/v1/pilots', (query) => http.GET('/api/v1/pilots', { params: { query } }));
  const columns = useRunColumns({
    sort: query.sort,
    onSort: (sort) => set('sort', sort),
    withPilot: true,
  });
  const filtered = [...search.keys()].some((key) => key !== 'sort');
  const total = runs.data?.pages[0]?.total;

  return (
    <Page title={t('ui.nav.runs')} lead={t('ui.runs.lead')}>
      <Panel>
        <Filter open={filtered}>
          <SearchText label={t('ui.runs.text')} value={query.q ?? ''} onChange={(value) => set('q', value)} />
          <Select
            label={t('ui.state_label')}
            data={[
              { value: '', label: t('ui.any') },
              ...STATES.map((value) => ({ value, label: t(`states.run.${value}`) })),
            ]}
            value={query.state ?? ''}
            onChange={(value) => set('state', value)}
          />
          <Select
            label={t('ui.method')}
            data={[
              { value: '', label: t('ui.any') },
              ...METHODS.map((value) => ({ value, label: t(`methods.${value}`) })),
            ]}
            value={query.method ?? ''}
            onChange={(value) => set('method', value)}
          />
          <SearchSelect
            label={t('ui.pilot_label')}
            data={[
              { value: '', label: t('ui.any') },
              ...(pilots.data?.items ?? []).map((pilot) => ({
                value: pilot.id,
                label: pilot.title || pilot.name,
              })),
            ]}
            value={query.pilot ?? ''}
            onChange={(value) => set('pilot', value)}
          />
        </Filter>
        <p className="aw-soft aw-small" role="status">
          {total === undefined ? '' : t('ui.runs.found', { number: formats.number(total) })}
        </p>
        <Answer query={runs}>
          {({ pages }) => {
            const rows = pages.flatMap((page) => page.items);
            return rows.length === 0 ? (
              <Empty
                icon="run"
                title={t(filtered ? 'ui.runs.no_match' : 'ui.runs.empty')}
                action={
                  filtered ? (
                    <Button variant="default" onClick={() => setSearch({}, { replace: true })}>
                      {t('ui.runs.clear')}
                    </Button>
                  ) : (
                    <Button component={Link} to="/pilots">
                      {t('ui.nav.pilots')}
                    </Button>
                  )
                }
              />
            ) : (
              <>
                <DataTable
                  caption={t('ui.nav.runs')}
                  columns={columns}
                  rows={rows}
                  rowKey={(run) => run.id}
                />
                <LoadMore query={runs} />
              </>
            );
          }}
        </Answer>
      </Panel>
    </Page>
  );
}

/** On a phone the fields would fill the screen: they fold, unless one of them is in use. */
function Filter({ open, children }: { open: boolean; children: ReactNode }) {
  const { t } = useTranslation();
  const narrow = useNarrow();
  const fields = (
    <div className="aw-fields" role="search" aria-label={t('ui.runs.filter')}>
      {children}
    </div>
  );
  if (!narrow) return fields;
  return (
    <details className="aw-filter" open={open}>
      <summary>{t('ui.runs.filter')}</summary>
      {fields}
    </details>
  );
}
