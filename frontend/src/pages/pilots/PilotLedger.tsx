/* The byte ledger of a pilot: what all its runs fetched over links, each fetch once. */
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { LedgerTables } from '../../components/LedgerTables';
import { FoldedPanel } from '../../components/Page';

export function PilotLedger({ pilot }: { pilot: string }) {
  const { t } = useTranslation();
  const ledger = api.useQuery('get', '/api/v1/pilots/{pilot_id}/ledger', {
    params: { path: { pilot_id: pilot } },
  });
  if (!ledger.data || ledger.data.total.num_exchanges === 0) return null;
  return (
    <FoldedPanel title={t('ui.ledger.title')}>
      <LedgerTables ledger={ledger.data} />
    </FoldedPanel>
  );
}
