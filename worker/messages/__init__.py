"""What coordinator and workers say to each other: frozen, tagged, versionless JSON. Neither way carries data values or secrets."""
