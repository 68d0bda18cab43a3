/* One entry of a long list, found by typing: a click takes the whole text, so that typing begins a search. Whoever leaves it with a
   text that means one entry has chosen that; with any other text the field says what stays chosen. */
import { Select, type SelectProps } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { fitting } from './searched';

interface Props extends Omit<SelectProps, 'data' | 'value' | 'onChange'> {
  data: readonly { value: string; label: string }[];
  value: string;
  onChange: (value: string) => void;
}

export function SearchSelect({ data, value, onChange, error, ...others }: Props) {
  const { t } = useTranslation();
  const [unknown, setUnknown] = useState('');
  const chosen = data.find((one) => one.value === value)?.label ?? '';
  const isSearch = (text: string) => text.trim() !== '' && text !== chosen;
  const leave = (text: string) => {
    if (!isSearch(text)) return;
    const [found, ...more] = fitting(data, text);
    if (found && more.length === 0) onChange(found.value);
    else setUnknown(text);
  };
  return (
    <Select
      {...others}
      data={data}
      value={value}
      onChange={(picked) => picked !== null && onChange(picked)}
      allowDeselect={false}
      searchable
      selectFirstOptionOnChange
      nothingFoundMessage={t('ui.nothing_found')}
      error={error ?? (unknown && t('ui.search_unknown', { text: unknown, chosen }))}
      onSearchChange={() => setUnknown('')}
      onClick={({ currentTarget }) => {
        if (currentTarget.value === chosen) currentTarget.select();
      }}
      onBlur={({ currentTarget }) => leave(currentTarget.value)}
      onKeyDown={(event) => {
        const text = event.currentTarget.value;
        if (event.key !== 'Enter' || !isSearch(text)) return;
        event.preventDefault(); // The form must not go with what is not shown.
        if (fitting(data, text).length === 0) setUnknown(text);
      }}
    />
  );
}
